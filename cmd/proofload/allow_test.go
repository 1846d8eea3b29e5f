package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// unbroken is a fault that must not be injected.
type unbroken struct{ t *testing.T }

func (unbroken) String() string { return "break it" }

func (unbroken) Prepare(context.Context) (chaos.Undo, error) {
	return chaos.Undo{Kind: "break", Target: "it", Data: json.RawMessage("{}")}, nil
}

func (u unbroken) Inject(context.Context) (chaos.Injection, error) {
	u.t.Error("it was injected")
	return nil, errors.New("not allowed")
}

// TestSwitchBeforeInjecting engages a kill switch after all was found clear: the
// next injection does not go ahead, however soon it comes.
func TestSwitchBeforeInjecting(t *testing.T) {
	file := filepath.Join(t.TempDir(), "STOP")
	stop, err := chaos.ParseKillSwitch("file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := chaos.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	l := license{stops: []chaos.KillSwitch{stop}}
	if err = l.clear(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	l.bind(t.Context(), journal, sut.Topology{})
	if err = os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = chaos.Arm(t.Context(), journal, chaos.Catalog{"break": {Name: "break"}}, nil, unbroken{t}, nil)
	if !errors.Is(err, chaos.ErrEngaged) || len(journal.Pending()) > 0 {
		t.Errorf("armed with the switch engaged: %v, pending %v", err, journal.Pending())
	}
}
