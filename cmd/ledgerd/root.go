package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/sut/ledger"
)

// errUsage marks errors of the caller: nothing was started.
var errUsage = errors.New("invalid usage")

const environmentHelp = `
Configuration comes from the environment only:
  LEDGER_INSTANCE         name of this instance, shown in answers and logs (api, worker)
  LEDGER_LISTEN           address to listen on (api, worker; default :8080)
  LEDGER_DATABASE_URL     postgres:// URL that leads to the primary
  LEDGER_DATABASE_RO_URL  postgres:// URL that leads to replicas (api)
  LEDGER_REDIS_URL        redis:// URL (api, worker)
  LEDGER_AMQP_URL         amqp:// URL (worker)
  LEDGER_REQUEST_TIMEOUT  deadline of a request (default 3s)
  LEDGER_MAX_IN_FLIGHT    requests at once before others are refused (default 128)
  LEDGER_DATABASE_CONNS   connections of each pool (default 10)
  LEDGER_CACHE_TTL        lifetime of cached values (default 5m)
  LEDGER_RELAY_INTERVAL   pause between looks at an empty outbox (default 150ms)
  LEDGER_DRAIN_DELAY      pause between becoming unready and refusing connections (default 1s)
  LEDGER_LOG_LEVEL        debug, info, warn or error (default info)`

func newRoot(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:           "ledgerd",
		Short:         "Run the processes of the payments ledger",
		Long:          "Ledgerd runs the processes of the payments ledger.\n" + environmentHelp,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.AddCommand(
		newServe(getenv, ledger.API, ledger.RunAPI, &cobra.Command{
			Use: "api", Short: "Serve the HTTP interface",
			Long: "Serve the HTTP interface until SIGTERM or SIGINT, then finish the requests in flight.\n" + environmentHelp,
		}),
		newServe(getenv, ledger.Worker, ledger.RunWorker, &cobra.Command{
			Use: "worker", Short: "Relay the outbox and settle transfers",
			Long: "Relay the outbox to RabbitMQ and settle transfers until SIGTERM or SIGINT.\n" + environmentHelp,
		}),
		newMigrate(getenv),
		newSeed(getenv),
	)
	return root
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}

func loadConfig(getenv func(string) string, command ledger.Command) (ledger.Config, error) {
	cfg, err := ledger.LoadConfig(command, getenv)
	if err != nil {
		return cfg, fmt.Errorf("%w: %w", errUsage, err)
	}
	return cfg, nil
}

// newServe completes the command of a process that runs until it is told to
// stop.
func newServe(
	getenv func(string) string, command ledger.Command,
	run func(context.Context, ledger.Config, *slog.Logger) error, cmd *cobra.Command,
) *cobra.Command {
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(getenv, command)
		if err != nil {
			return err
		}
		return run(cmd.Context(), cfg, ledger.NewLogger(cmd.OutOrStdout(), cfg))
	}
	return cmd
}

func newMigrate(getenv func(string) string) *cobra.Command {
	return &cobra.Command{
		Use: "migrate", Short: "Bring the schema up to date",
		Long: "Bring the schema up to date. LEDGER_DATABASE_URL must lead straight to the primary, not to a pooler:\n" +
			"instances that migrate at once are kept apart by a lock that belongs to a session.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(getenv, ledger.Admin)
			if err != nil {
				return err
			}
			version, err := ledger.Migrate(cmd.Context(), cfg, ledger.NewLogger(cmd.ErrOrStderr(), cfg))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "schema version %d\n", version)
			return nil
		},
	}
}

func newSeed(getenv func(string) string) *cobra.Command {
	var plan ledger.SeedPlan
	cmd := &cobra.Command{
		Use: "seed", Short: "Create accounts",
		Long: "Create accounts 1 to N. Accounts that exist are left as they are. Needs LEDGER_DATABASE_URL.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(getenv, ledger.Admin)
			if err != nil {
				return err
			}
			if plan.Accounts < 1 || plan.Opening < 0 || len(plan.Currency) != 3 {
				return fmt.Errorf("%w: --accounts must be at least 1, --opening at least 0, --currency three letters", errUsage)
			}
			created, err := ledger.Seed(cmd.Context(), cfg, plan)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "accounts created: %d of %d\n", created, plan.Accounts)
			return nil
		},
	}
	cmd.Flags().IntVar(&plan.Accounts, "accounts", 1000, "how many accounts there are to be")
	cmd.Flags().StringVar(&plan.Currency, "currency", "EUR", "currency of the accounts")
	cmd.Flags().Int64Var(&plan.Opening, "opening", 100_000_000, "opening balance of each account in minor units")
	return cmd
}
