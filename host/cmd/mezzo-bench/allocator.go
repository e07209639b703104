package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/plugins/allocator-drf/drf"
	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	"github.com/mezzo-cluster/mezzo/sdk/resource"
)

// A figure is the median of so many rounds, or of fewer, but not fewer than the least, when they take long.
const (
	mostRounds  = 101
	leastRounds = 9
	longRounds  = 5 * time.Second
)

// allocatorFigures is one way to run the allocator, as JSON has it.
type allocatorFigures struct {
	First float64 `json:"first_allocation_ms"`
	Cycle float64 `json:"cycle_1pct_ms"`
}

// bookkeeper is what the allocator's proposals come to: it accepts them all.
type bookkeeper interface {
	// begin gives a snapshot, in place of one given before, and returns when so many proposals have been accepted.
	begin(ctx context.Context, s allocator.Snapshot, proposals int) error
	// update tells of changes and returns when so many more proposals have been accepted.
	update(ctx context.Context, us []allocator.Update, proposals int) error
	// halt forgets what begin gave.
	halt() error
}

func newAllocator(r *report, bin *string) *cobra.Command {
	agents, frameworks, roles := 1000, 100, 20
	cmd := &cobra.Command{
		Use: "allocator", Short: "The DRF allocator as a plugin and in process",
		Long: `Gives the DRF allocator a cluster of which nothing is used and measures the time until all of it has been proposed
and accepted, and that of a cycle after 1% of the agents have grown: through the plugin's process, as the master uses it,
and by calling the same code in this process, in turn. Each figure is the median of many rounds.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Minute)
			defer cancel()
			c, err := compareAllocators(ctx, *bin, agents, frameworks, roles)
			if err != nil {
				return err
			}
			return r.print([]string{
				fmt.Sprintf("%d agents of 24 cpus, %d frameworks in %d roles; TLS between host and plugin", agents, frameworks, roles),
			}, []figure{
				{"plugin", "ms", c.plugin, "1.5 times in_process"},
				{"in_process", "ms", c.inProcess, ""},
				{"first_allocation_ratio", "", c.plugin.First / c.inProcess.First, "1.5"},
				{"cycle_1pct_ratio", "", c.plugin.Cycle / c.inProcess.Cycle, "1.5"},
				{"round_trip_ms", "ms", c.roundTrip, ""},
			})
		},
	}
	cmd.Flags().IntVar(&agents, "agents", agents, "how many agents the cluster has")
	cmd.Flags().IntVar(&frameworks, "frameworks", frameworks, "how many frameworks")
	cmd.Flags().IntVar(&roles, "roles", roles, "how many roles the frameworks are in")
	return cmd
}

// comparison is what compareAllocators has measured.
type comparison struct {
	inProcess, plugin allocatorFigures
	// roundTrip is, in milliseconds, the least that anything costs the plugin: a call that has nothing to do.
	roundTrip float64
}

// compareAllocators measures both ways in turn, so that what else the machine does meets them alike.
func compareAllocators(ctx context.Context, bin string, agents, frameworks, roles int) (c comparison, err error) {
	called, err := newInProcess()
	if err != nil {
		return c, err
	}
	driven, err := newPluginAllocator(ctx, bin)
	if err != nil {
		return c, err
	}
	defer driven.close()
	ways := []bookkeeper{called, driven}
	all, snapshot, err := benchCluster(agents, frameworks, roles)
	if err != nil {
		return c, err
	}
	first, err := alternate(ways, func(int) (func(bookkeeper) error, error) {
		for _, b := range ways {
			if err := b.halt(); err != nil {
				return nil, err
			}
		}
		return func(b bookkeeper) error { return b.begin(ctx, snapshot, agents) }, nil
	})
	if err != nil {
		return c, err
	}
	cycle, err := alternate(ways, func(round int) (func(bookkeeper) error, error) {
		us, err := grow(all, round)
		return func(b bookkeeper) error { return b.update(ctx, us, len(us)) }, err
	})
	if err != nil {
		return c, err
	}
	trip, err := alternate([]bookkeeper{driven}, func(int) (func(bookkeeper) error, error) {
		return func(bookkeeper) error {
			_, err := driven.driver.Explain(ctx, "nobody")
			return err
		}, nil
	})
	if err != nil {
		return c, err
	}
	c.inProcess, c.plugin = allocatorFigures{first[0], cycle[0]}, allocatorFigures{first[1], cycle[1]}
	c.roundTrip = trip[0]
	return c, nil
}

// alternate is each way's median time, in milliseconds, of what prepare has for them in each round.
func alternate(ways []bookkeeper, prepare func(round int) (func(bookkeeper) error, error)) ([]float64, error) {
	took := make([][]time.Duration, len(ways))
	end := time.Now().Add(longRounds)
	for round := 0; round < mostRounds && (round < leastRounds || time.Now().Before(end)); round++ {
		run, err := prepare(round)
		if err != nil {
			return nil, err
		}
		for i, way := range ways {
			began := time.Now()
			if err := run(way); err != nil {
				return nil, err
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	medians := make([]float64, len(ways))
	for i := range took {
		medians[i] = quantilesOf(took[i]).P50
	}
	return medians, nil
}

func benchCluster(agents, frameworks, roles int) ([]allocator.Agent, allocator.Snapshot, error) {
	s := allocator.Snapshot{Sequence: 1}
	for i := range frameworks {
		s.Updates = append(s.Updates, allocator.FrameworkAdded{Framework: allocator.Framework{
			ID: fmt.Sprintf("framework-%03d", i), Name: "bench", Roles: []string{fmt.Sprintf("role-%02d", i%roles)}, Active: true,
			Capabilities: allocator.Capabilities{MultiRole: true, ReservationRefinement: true},
		}})
	}
	var all []allocator.Agent
	for i := range agents {
		total, err := resource.Parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]", "*")
		if err != nil {
			return nil, s, err
		}
		all = append(all, allocator.Agent{
			ID: fmt.Sprintf("agent-%06d", i), Hostname: fmt.Sprintf("host-%d", i), Total: total, Active: true,
			Capabilities: allocator.AgentCapabilities{MultiRole: true, HierarchicalRole: true, ReservationRefinement: true},
		})
		s.Updates = append(s.Updates, allocator.AgentAdded{Agent: all[i]})
	}
	return all, s, nil
}

// grow has every hundredth agent grow, in each round other ones.
func grow(all []allocator.Agent, round int) ([]allocator.Update, error) {
	more, err := resource.Parse("cpus:1;mem:128;disk:128", "*")
	if err != nil {
		return nil, err
	}
	var us []allocator.Update
	for i := round % 100; i < len(all); i += 100 {
		if all[i].Total, err = all[i].Total.Add(more); err != nil {
			return nil, err
		}
		us = append(us, allocator.AgentChanged{Agent: all[i]})
	}
	return us, nil
}

// inProcess calls the allocator's code directly.
type inProcess struct {
	a   *drf.Allocator
	now time.Time
}

func newInProcess() (*inProcess, error) {
	a, err := drf.NewAllocator(drf.DefaultConfig())
	return &inProcess{a: a, now: time.Now()}, err
}

func (p *inProcess) begin(ctx context.Context, s allocator.Snapshot, proposals int) error {
	p.a.Reset()
	if err := p.a.Update(p.now, s.Updates); err != nil {
		return err
	}
	return p.allocate(ctx, proposals)
}

func (p *inProcess) update(ctx context.Context, us []allocator.Update, proposals int) error {
	p.now = p.now.Add(time.Second)
	if err := p.a.Update(p.now, us); err != nil {
		return err
	}
	return p.allocate(ctx, proposals)
}

// batch is the most proposals in one answer, as in the contract.
const batch = 1000

func (p *inProcess) allocate(ctx context.Context, proposals int) error {
	got := 0
	for {
		proposed, _, err := p.a.Allocate(ctx, p.now, batch)
		if err != nil {
			return err
		}
		if err := p.a.Answer(p.now, accept(proposed)); err != nil {
			return err
		}
		if got += len(proposed); len(proposed) < batch {
			break
		}
	}
	if got != proposals {
		return fmt.Errorf("%d of %d allocations were proposed", got, proposals)
	}
	return nil
}

func (p *inProcess) halt() error { return nil }

func accept(proposed []allocator.Allocation) []allocator.Answer {
	answers := make([]allocator.Answer, len(proposed))
	for i, a := range proposed {
		answers[i] = allocator.Answer{ID: a.ID, OfferID: fmt.Sprintf("bench-O%d", a.ID)}
	}
	return answers
}
