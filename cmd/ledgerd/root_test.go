package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func execute(t *testing.T, env map[string]string, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot(func(name string) string { return env[name] })
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err = root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestHelp(t *testing.T) {
	for _, cmd := range []string{"api", "worker", "migrate", "seed"} {
		out, err := execute(t, nil, cmd, "--help")
		if err != nil || !strings.Contains(out, "ledgerd "+cmd) || !strings.Contains(out, "LEDGER_DATABASE_URL") {
			t.Errorf("ledgerd %s --help = %v, %q; want usage that names LEDGER_DATABASE_URL", cmd, err, out)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	db := map[string]string{"LEDGER_DATABASE_URL": "postgres://u@127.0.0.1:1/d"}
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"no configuration", nil, []string{"api"}, "LEDGER_DATABASE_URL: not set"},
		{"no configuration to seed", nil, []string{"seed"}, "LEDGER_DATABASE_URL: not set"},
		{"unknown flag", db, []string{"seed", "--acounts", "1"}, "unknown flag: --acounts"},
		{"no accounts", db, []string{"seed", "--accounts", "0"}, "--accounts must be at least 1"},
		{"unknown command", db, []string{"sead"}, "unknown command"},
		{"an argument", db, []string{"migrate", "up"}, "unknown command"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := execute(t, tt.env, tt.args...)
			if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ledgerd %s = %v; want a usage error with %q", strings.Join(tt.args, " "), err, tt.want)
			}
		})
	}
}
