package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

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

// ratio is how many times one way takes what the other does.
type ratio struct {
	First float64 `json:"first_allocation"`
	Cycle float64 `json:"cycle_1pct"`
}

func (f allocatorFigures) over(g allocatorFigures) ratio {
	return ratio{f.First / g.First, f.Cycle / g.Cycle}
}

// bookkeeper is what the allocator's proposals come to: it accepts them all.
type bookkeeper interface {
	// begin gives a snapshot, in place of one given before, and returns when so many proposals have been accepted.
	begin(ctx context.Context, s allocator.Snapshot, proposals int) error
	// update tells of changes and returns when so many more proposals have been accepted.
	update(ctx context.Context, us []allocator.Update, proposals int) error
}

func newAllocator(r *report, bin *string) *cobra.Command {
	agents, frameworks, roles := 1000, 100, 20
	cmd := &cobra.Command{
		Use: "allocator", Short: "The DRF allocator as a plugin and in process",
		Long: `Gives the DRF allocator a cluster of which nothing is used and measures the time until all of it has been proposed
and accepted; then that of a cycle after 1% of the agents have changed. Both as the plugin's process, which works as it
does for a master, and by calling the same code in this process, in turn. Each figure is the median of many rounds.

Alone, nothing is around the allocator: the agents grow, and whatever is proposed is accepted. In a master, tasks end: its
state machine deals with that, and with what the allocator proposes, until the offers to the frameworks are encoded.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Minute)
			defer cancel()
			c, err := compareAllocators(ctx, *bin, agents, frameworks, roles)
			if err != nil {
				return err
			}
			return r.print([]string{
				fmt.Sprintf("%d agents of 24 cpus, %d frameworks in %d roles; TLS between host and plugin", agents, frameworks, roles),
				"the master without registry, authorizer and sockets",
			}, []figure{
				{"plugin", "ms", c.plugin, "1.5 times in_process"},
				{"in_process", "ms", c.inProcess, ""},
				{"ratio", "", c.plugin.over(c.inProcess), "1.5"},
				{"master_plugin", "ms", c.masterPlugin, "1.5 times master_in_process"},
				{"master_in_process", "ms", c.masterInProcess, ""},
				{"master_ratio", "", c.masterPlugin.over(c.masterInProcess), "1.5"},
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
	inProcess, plugin             allocatorFigures
	masterInProcess, masterPlugin allocatorFigures
	// roundTrip is, in milliseconds, the least that anything costs the plugin: a call that has nothing to do.
	roundTrip float64
}

// compareAllocators measures both ways in turn, so that what else the machine does meets them alike.
func compareAllocators(ctx context.Context, bin string, agents, frameworks, roles int) (c comparison, err error) {
	process, err := newAllocatorProcess(ctx, bin)
	if err != nil {
		return c, err
	}
	defer process.close()
	if err := c.alone(ctx, process, agents, frameworks, roles); err != nil {
		return c, err
	}
	return c, c.inMaster(ctx, process, agents, frameworks, roles)
}

// alone measures the allocator with nothing around it.
func (c *comparison) alone(ctx context.Context, process *allocatorProcess, agents, frameworks, roles int) error {
	called, err := newInProcess()
	if err != nil {
		return err
	}
	driven := newPluginAllocator(process)
	ways := []bookkeeper{called, driven}
	all, snapshot, err := benchCluster(agents, frameworks, roles)
	if err != nil {
		return err
	}
	first, err := alternate(ways, func(int) (func(bookkeeper) error, error) {
		return func(b bookkeeper) error { return b.begin(ctx, snapshot, agents) }, driven.halt(ctx)
	})
	if err != nil {
		return err
	}
	cycle, err := alternate(ways, func(round int) (func(bookkeeper) error, error) {
		us, err := grow(all, round)
		return func(b bookkeeper) error { return b.update(ctx, us, len(us)) }, err
	})
	if err != nil {
		return err
	}
	trip, err := alternate(ways[1:], func(int) (func(bookkeeper) error, error) {
		return func(bookkeeper) error {
			_, err := driven.driver.Explain(ctx, "nobody")
			return err
		}, nil
	})
	if err != nil {
		return err
	}
	c.inProcess, c.plugin = allocatorFigures{first[0], cycle[0]}, allocatorFigures{first[1], cycle[1]}
	c.roundTrip = trip[0]
	return driven.halt(ctx)
}

// inMaster measures the allocator at work for a master.
func (c *comparison) inMaster(ctx context.Context, process *allocatorProcess, agents, frameworks, roles int) error {
	called, err := newBenchMaster(ctx, agents, frameworks, roles, newCalled)
	if err != nil {
		return err
	}
	driven, err := newBenchMaster(ctx, agents, frameworks, roles, func(b *benchMaster) (worker, error) { return process.driver(b), nil })
	if err != nil {
		return errors.Join(err, called.close(ctx))
	}
	defer func() { _ = errors.Join(called.close(ctx), driven.close(ctx)) }() // nothing that was measured depends on it
	ways := []*benchMaster{called, driven}
	first, err := alternate(ways, func(int) (func(*benchMaster) error, error) {
		return func(b *benchMaster) error { return b.first(ctx) }, errors.Join(called.undo(ctx), driven.undo(ctx))
	})
	if err != nil {
		return err
	}
	cycle, err := alternate(ways, func(round int) (func(*benchMaster) error, error) {
		endings, err := called.endings(round)
		return func(b *benchMaster) error { return b.cycle(ctx, endings) }, err
	})
	c.masterInProcess, c.masterPlugin = allocatorFigures{first[0], cycle[0]}, allocatorFigures{first[1], cycle[1]}
	return err
}

// alternate is each way's median time, in milliseconds, of what prepare has for them in each round.
func alternate[W any](ways []W, prepare func(round int) (func(W) error, error)) ([]float64, error) {
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
