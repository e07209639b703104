package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/sim"
)

// simOptions say which seeds are run.
type simOptions struct {
	seed    uint64
	seeds   uint64
	steps   int
	verbose bool
}

func newSim(r *report) *cobra.Command {
	o := simOptions{seed: 1, seeds: 1, steps: 800}
	cmd := &cobra.Command{
		Use: "sim", Short: "Replay a seed of the simulator, or try many",
		Long: `Runs a whole cluster in virtual time, with lost connections, crashes, reboots and masters that lose the leadership,
and checks after each step the rules that must hold whatever happens. A run follows from its seed and the number of
steps alone: what the tests report, this replays. Nothing outside the process is touched.`,
		Example: `  mezzo-bench sim --seed 7 --steps 500 --verbose   every event and effect of one seed
  mezzo-bench sim --seeds 500 --steps 500          seeds 1 to 500, each twice`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.steps < 1 || o.seeds < 1 {
				return errors.New("--steps and --seeds must be at least 1")
			}
			if o.seeds > 1 {
				return runSeeds(cmd.Context(), r, o)
			}
			return runSeed(r, o)
		},
	}
	cmd.Flags().Uint64Var(&o.seed, "seed", o.seed, "the seed, or the first one")
	cmd.Flags().Uint64Var(&o.seeds, "seeds", o.seeds, "how many seeds to run, each twice")
	cmd.Flags().IntVar(&o.steps, "steps", o.steps, "steps before the faults stop and the cluster is to come to rest")
	cmd.Flags().BoolVar(&o.verbose, "verbose", false, "write down every event and effect (one seed only)")
	return cmd
}

// runSeed replays one seed.
func runSeed(r *report, o simOptions) error {
	var trace io.Writer
	if o.verbose {
		trace = os.Stdout
	}
	began := time.Now()
	result := sim.Run(sim.Options{Seed: o.seed, Steps: o.steps, Trace: trace})
	err := r.print(simConfiguration(o), append(simFigures(result),
		figure{key: "seconds", unit: "s", value: time.Since(began).Seconds()},
		figure{key: "hash", value: result.Hash},
	))
	return errors.Join(err, broken(result))
}

// broken is the rule that a run has broken, as an error.
func broken(r sim.Result) error {
	if r.Err == nil {
		return nil
	}
	return fmt.Errorf("seed %d breaks a rule: %w", r.Seed, r.Err)
}

func simConfiguration(o simOptions) []string {
	return []string{
		fmt.Sprintf("simulator: seeds %d to %d, %d steps each", o.seed, o.seed+o.seeds-1, o.steps),
		"real: the state machines of master and agent, the execution of effects, the registry's state, the DRF allocator",
	}
}

func simFigures(r sim.Result) []figure {
	return []figure{
		{key: "steps", value: r.Steps},
		{key: "effects", value: r.Effects},
		{key: "virtual_seconds", unit: "s", value: r.Time.Seconds()},
		{key: "tasks", value: r.Tasks},
		{key: "tasks_ended", value: r.Ended},
		{key: "status_updates", value: r.Updates},
		{key: "faults", value: r.Faults},
	}
}

// runSeeds runs many seeds, each twice, and stops when a rule is broken or two runs of one seed differ.
func runSeeds(ctx context.Context, r *report, o simOptions) error {
	began := time.Now()
	var mu sync.Mutex
	var sum sim.Result
	var failed error
	covered := sim.Coverage{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next atomic.Uint64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < o.seeds && ctx.Err() == nil; i = next.Add(1) - 1 {
				options := sim.Options{Seed: o.seed + i, Steps: o.steps}
				result := sim.Run(options)
				err := broken(result)
				if err == nil && sim.Run(options).Hash != result.Hash {
					err = fmt.Errorf("two runs of seed %d differ", result.Seed)
				}
				mu.Lock()
				add(&sum, result)
				covered.Add(result.Coverage)
				if err != nil {
					failed = errors.Join(failed, err)
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	seconds := time.Since(began).Seconds()
	err := r.print(simConfiguration(o), append(simFigures(sum),
		figure{key: "covered", value: len(covered)},
		figure{key: "seconds", unit: "s", value: seconds},
		figure{key: "steps_per_second", unit: "1/s", value: float64(2*sum.Steps) / seconds},
	))
	if failed == nil {
		failed = ctx.Err() // interrupted
	}
	return errors.Join(err, failed)
}

func add(sum *sim.Result, r sim.Result) {
	sum.Steps += r.Steps
	sum.Effects += r.Effects
	sum.Time += r.Time
	sum.Tasks += r.Tasks
	sum.Ended += r.Ended
	sum.Updates += r.Updates
	sum.Faults += r.Faults
}
