package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mezzo-cluster/mezzo/host/pluginhost/authorizer"
	contract "github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// explainedJSON is what `mezzo policy explain` prints as JSON.
type explainedJSON struct {
	Action   contract.Action `json:"action"`
	Kind     contract.Kind   `json:"kind"`
	Allowed  bool            `json:"allowed"`
	Reason   string          `json:"reason,omitempty"`
	Revision string          `json:"revision"`
	Trace    []string        `json:"trace"`
}

func newPolicyExplain(p *policies) *cobra.Command {
	q, failDenied := question{}, false
	cmd := &cobra.Command{
		Use: "explain --action ACTION [PATH]...", Short: "Ask policies a question, and why they answer as they do",
		Long: `Asks the policies whether somebody may do something with an object, and shows the answer, the reason that would be
given, and how it came about: every rule that was tried, with what it found, or the condition that did not hold and
the values in it. docs/security.md lists what a cluster asks, and about which objects.

An object's fields are given as JSON, by --set, or both; nested ones by their path. --role and --user are short for
the fields that roles and users have in the action's kind of object. Without any, the object has no fields.

Exit codes: 0 answered, whatever the answer, 1 not answered, or with --fail-denied denied, 2 a command line that makes
no sense.`,
		Example: `  mezzo policy explain --config /etc/mezzo/master.hcl --principal web --action register_framework --role eng/web
  mezzo policy explain ./policies --principal web --action RUN_TASK --user root --set framework.principal=web
  mezzo policy explain ./policies --action view_task --object '{"name": "db", "labels": {"tier": "gold"}}'`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			r, err := q.request(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return p.use(cmd, paths, "asking the policies", func(ctx context.Context, t *authorizer.Tools, paths []string) error {
				e, err := t.Explain(ctx, contract.ExplainOptions{Request: r, Paths: paths})
				if err != nil {
					return err
				}
				if err := p.explained(cmd.OutOrStdout(), r, e); err != nil {
					return err
				}
				if failDenied && !e.Answer.Decisions[0].Allowed {
					return exitError(exitFailed)
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.action, "action", "", "what is to be done, such as run_task; needed")
	f.StringVar(&q.principal, "principal", "", "who asks; without it, or claims, it is nobody, who is not authenticated")
	f.StringToStringVar(&q.claims, "claim", nil, "NAME=VALUE that a token says of who asks; may be given several times")
	f.StringVar(&q.object, "object", "", "the object's fields, as a JSON object")
	f.StringVar(&q.objectFile, "object-file", "", "file that holds them; - is the standard input")
	f.StringArrayVar(&q.set, "set", nil, "FIELD=VALUE of the object, such as framework.principal=web; may be given several times")
	f.StringVar(&q.role, "role", "", "the object's role")
	f.StringVar(&q.user, "user", "", "the OS user of the object")
	f.BoolVar(&failDenied, "fail-denied", false, "exit with 1 if the answer is no")
	return cmd
}

func (p *policies) explained(w io.Writer, r contract.Request, e contract.Explanation) error {
	d := e.Answer.Decisions[0]
	if p.output == "json" {
		return p.print(w, rows{value: explainedJSON{
			Action: r.Action, Kind: r.Objects[0].Kind, Allowed: d.Allowed, Reason: d.Reason, Revision: e.Answer.Revision, Trace: e.Trace,
		}})
	}
	verdict := "denied"
	if d.Allowed {
		verdict = "allowed"
	}
	if d.Reason != "" {
		verdict += ": " + d.Reason
	}
	fmt.Fprintf(w, "%s\nby the policies' revision %s, which tried these rules:\n\n", verdict, e.Answer.Revision)
	for _, line := range e.Trace {
		if _, err := fmt.Fprintln(w, short(line)); err != nil {
			return err
		}
	}
	return nil
}
