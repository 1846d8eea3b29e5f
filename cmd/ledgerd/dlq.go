package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/sut/ledger"
	"github.com/proofload/proofload/sut/ledger/jobs"
)

func newDLQ(getenv func(string) string) *cobra.Command {
	return newGroup("dlq", "List, replay and purge dead letters",
		"Dead letters are messages that a worker gave up: because it will never be able to do what they ask for,\n"+
			"or because it tried in vain too often. The reason is kept with each."+environment(ledger.DeadLetters),
		newList(getenv),
		newChange(getenv, (*jobs.Broker).ReplayDeadLetters, "replayed", &cobra.Command{
			Use: "replay", Short: "Have dead letters tried again",
			Long: "Have dead letters of a queue tried again, as if they were new. What fails again dies again.",
		}),
		newChange(getenv, (*jobs.Broker).PurgeDeadLetters, "purged", &cobra.Command{
			Use: "purge", Short: "Remove dead letters for good",
			Long: "Remove dead letters of a queue for good. The log on standard error keeps what each was.",
		}),
	)
}

// letters says which dead letters are meant, as flags do.
type letters struct {
	queue     string
	olderThan time.Duration
	filter    jobs.DeadLetterFilter
}

func (l *letters) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.queue, "queue", "", "queue they died in: "+strings.Join(jobs.Queues(), ", "))
	f.StringVar(&l.filter.MessageID, "message-id", "", "only the one with this id")
	f.StringVar(&l.filter.Topic, "topic", "", "only those of this topic")
	f.StringVar(&l.filter.Reason, "reason", "", "only those whose reason has this in it")
	f.DurationVar(&l.olderThan, "older-than", 0, "only those that died longer ago, such as 24h")
	f.IntVar(&l.filter.Limit, "limit", 0, "only as many of each queue, the oldest; 0 for all")
}

// parse checks the flags. The time is that of the call.
func (l *letters) parse(now time.Time) error {
	if l.queue != "" && !slices.Contains(jobs.Queues(), l.queue) {
		return usage(fmt.Errorf("there is no queue %q, only %s", l.queue, strings.Join(jobs.Queues(), ", ")))
	}
	if l.olderThan < 0 || l.filter.Limit < 0 {
		return usage(errors.New("--older-than and --limit must not be negative"))
	}
	if l.olderThan > 0 {
		l.filter.Before = now.Add(-l.olderThan)
	}
	return nil
}

// deliberate refuses a choice of dead letters that was not made: of one queue,
// and either some or all of them.
func (l *letters) deliberate(all bool) error {
	switch everything := l.filter == (jobs.DeadLetterFilter{}); {
	case l.queue == "":
		return usage(errors.New("--queue is missing: say which queue's dead letters"))
	case everything && !all:
		return usage(errors.New("say which dead letters with --message-id, --topic, --reason, --older-than or --limit, or --all"))
	case all && !everything:
		return usage(errors.New("--all goes with no other choice of dead letters"))
	}
	return nil
}

func newList(getenv func(string) string) *cobra.Command {
	var which letters
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List dead letters and why they died",
		Long: "List dead letters, oldest first, and why they died. They stay where they are." + environment(ledger.DeadLetters),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(getenv, ledger.DeadLetters)
			if err != nil {
				return err
			}
			if err := which.parse(time.Now()); err != nil {
				return err
			}
			queues := jobs.Queues()
			if which.queue != "" {
				queues = []string{which.queue}
			}
			broker := openBroker(cfg, cmd.ErrOrStderr())
			var all []jobs.DeadLetter
			for _, queue := range queues {
				some, err := broker.DeadLetters(cmd.Context(), queue, which.filter)
				if err != nil {
					return errors.Join(err, broker.Close())
				}
				all = append(all, some...)
			}
			show := printTable
			if asJSON {
				show = printJSON
			}
			return errors.Join(show(cmd.OutOrStdout(), all), broker.Close())
		},
	}
	which.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON document a line, bodies included")
	return cmd
}

// openBroker returns the broker. No connection is made yet.
func openBroker(cfg ledger.Config, logs io.Writer) *jobs.Broker {
	return jobs.NewBroker(cfg.AMQPURL, jobs.Options{Log: ledger.NewLogger(logs, cfg)})
}

// newChange completes a command that does something to dead letters of one
// queue. All of them have to be asked for.
func newChange(
	getenv func(string) string, change func(*jobs.Broker, context.Context, string, jobs.DeadLetterFilter) (int, error),
	done string, cmd *cobra.Command,
) *cobra.Command {
	var which letters
	var all bool
	cmd.Long += environment(ledger.DeadLetters)
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, loadErr := loadConfig(getenv, ledger.DeadLetters)
		if err := errors.Join(loadErr, which.parse(time.Now()), which.deliberate(all)); err != nil {
			return err
		}
		broker := openBroker(cfg, cmd.ErrOrStderr())
		n, err := change(broker, cmd.Context(), which.queue, which.filter)
		fmt.Fprintf(cmd.OutOrStdout(), "dead letters %s: %d\n", done, n)
		return errors.Join(err, broker.Close())
	}
	which.register(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all dead letters of the queue")
	return cmd
}

func printTable(w io.Writer, all []jobs.DeadLetter) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "QUEUE\tDIED\tATTEMPTS\tTOPIC\tMESSAGE\tCORRELATION\tREASON")
	for _, l := range all {
		died := "unknown"
		if !l.DiedAt.IsZero() {
			died = l.DiedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%q\n", l.Queue, died, l.Attempts, l.Topic, l.MessageID, l.Correlation, l.Reason)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print dead letters: %w", err)
	}
	return nil
}

func printJSON(w io.Writer, all []jobs.DeadLetter) error {
	type line struct {
		Queue       string    `json:"queue"`
		DiedAt      time.Time `json:"died_at,omitzero"`
		Attempts    int       `json:"attempts"`
		Topic       string    `json:"topic"`
		MessageID   string    `json:"message_id"`
		Correlation string    `json:"correlation_id"`
		Reason      string    `json:"reason"`
		Body        string    `json:"body"`
	}
	enc := json.NewEncoder(w)
	for _, l := range all {
		if err := enc.Encode(line{l.Queue, l.DiedAt, l.Attempts, l.Topic, l.MessageID, l.Correlation, l.Reason, string(l.Body)}); err != nil {
			return fmt.Errorf("print dead letters: %w", err)
		}
	}
	return nil
}
