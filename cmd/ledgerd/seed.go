package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/sut/ledger"
	"github.com/proofload/proofload/sut/ledger/store"
)

// newSeed returns the command that fills the ledger. Its flags change the plan
// of a data set.
func newSeed(getenv func(string) string) *cobra.Command {
	var set string
	var flags store.SeedPlan
	cmd := &cobra.Command{
		Use: "seed", Short: "Fill the ledger with a data set",
		Long: "Fill the ledger with accounts and settled transfers, all or nothing. The same data set and seed always make\n" +
			"the same rows. What exists is left as it is; transfers are not loaded beside others.\n\n" +
			"  small    1,000 accounts\n" +
			"  medium   100,000 accounts, 1,000,000 transfers\n" +
			"  large    1,000,000 accounts, 10,000,000 transfers" + environment(ledger.Schema),
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&set, "set", "small", "data set: "+strings.Join(store.SeedSets(), ", "))
	f.Uint64Var(&flags.Seed, "seed", 1, "seed of the transfers")
	f.IntVar(&flags.Accounts, "accounts", 0, "how many accounts, instead of the set's")
	f.IntVar(&flags.Transfers, "transfers", 0, "how many transfers, instead of the set's")
	f.StringVar(&flags.Currency, "currency", "", "currency of the accounts, instead of the set's")
	f.Int64Var(&flags.Opening, "opening", 0, "opening balance of each account in minor units, instead of the set's")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(getenv, ledger.Schema)
		if err != nil {
			return err
		}
		plan, err := store.SeedSet(set)
		if err != nil {
			return usage(fmt.Errorf("--set: %w", err))
		}
		for name, change := range map[string]func(){
			"seed":      func() { plan.Seed = flags.Seed },
			"accounts":  func() { plan.Accounts = flags.Accounts },
			"transfers": func() { plan.Transfers = flags.Transfers },
			"currency":  func() { plan.Currency = flags.Currency },
			"opening":   func() { plan.Opening = flags.Opening },
		} {
			if f.Changed(name) {
				change()
			}
		}
		if err = plan.Check(); err != nil {
			return usage(err)
		}
		made, err := store.Seed(cmd.Context(), cfg.DatabaseURL, plan, func(transfers int) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d transfers\n", transfers, plan.Transfers)
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "made %d customers, %d accounts, %d transfers\n", made.Customers, made.Accounts, made.Transfers)
		return nil
	}
	return cmd
}
