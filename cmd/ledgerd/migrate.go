package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/sut/ledger"
	"github.com/proofload/proofload/sut/ledger/store"
)

func newMigrate(getenv func(string) string) *cobra.Command {
	return newGroup("migrate", "Bring the schema up to date or take it back",
		"Bring the schema up to date or take it back. LEDGER_DATABASE_URL must lead straight to the primary, not to a\n"+
			"pooler: instances that migrate at once are kept apart by a lock that belongs to a session."+
			environment(ledger.Schema),
		newMigration(getenv, &cobra.Command{
			Use: "up", Short: "Bring the schema up to date",
			Long: "Bring the schema up to date, and make partitions for the months to come. What is there stays.",
		}, store.Migrate),
		newMigrateDown(getenv), newMigrateStatus(getenv),
	)
}

// newMigration completes a command that leaves a version of the schema.
func newMigration(
	getenv func(string) string, cmd *cobra.Command,
	migrate func(ctx context.Context, url string, log *slog.Logger) (version int64, err error),
) *cobra.Command {
	cmd.Long += environment(ledger.Schema)
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(getenv, ledger.Schema)
		if err != nil {
			return err
		}
		version, err := migrate(cmd.Context(), cfg.DatabaseURL, ledger.NewLogger(cmd.ErrOrStderr(), cfg))
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "schema version %d\n", version)
		return nil
	}
	return cmd
}

func newMigrateDown(getenv func(string) string) *cobra.Command {
	var to int64
	cmd := newMigration(getenv, &cobra.Command{
		Use: "down --to VERSION", Short: "Take the schema back, with the data that has no place in it",
		Long: "Take the schema back to a version; 0 leaves an empty database. The data goes for which that version has\n" +
			"no place.",
	}, func(ctx context.Context, url string, log *slog.Logger) (int64, error) {
		if to < 0 {
			return 0, usage(errors.New("--to must say a version, 0 for an empty database"))
		}
		return store.MigrateDown(ctx, url, to, log)
	})
	cmd.Flags().Int64Var(&to, "to", -1, "version to take the schema back to")
	return cmd
}

func newMigrateStatus(getenv func(string) string) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "List the steps of the schema and which the database has",
		Long: "List the steps of the schema and which the database has. Nothing is changed." + environment(ledger.Schema),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(getenv, ledger.Schema)
			if err != nil {
				return err
			}
			steps, err := store.Migrations(cmd.Context(), cfg.DatabaseURL, ledger.NewLogger(cmd.ErrOrStderr(), cfg))
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "VERSION\tAPPLIED\tSTEP")
			for _, s := range steps {
				applied := "pending"
				if !s.Applied.IsZero() {
					applied = s.Applied.UTC().Format(time.RFC3339)
				}
				fmt.Fprintf(table, "%d\t%s\t%s\n", s.Version, applied, s.Name)
			}
			if err := table.Flush(); err != nil {
				return fmt.Errorf("print steps: %w", err)
			}
			return nil
		},
	}
}
