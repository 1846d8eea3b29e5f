package main

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"
)

// A workflow is what GitHub reads of one; it refuses other keys.
type workflowSchema struct {
	Name        string            `yaml:"name"`
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		RunsOn  string         `yaml:"runs-on"`
		Timeout int            `yaml:"timeout-minutes"`
		Steps   []workflowStep `yaml:"steps"`
	} `yaml:"jobs"`
}

type workflowStep struct {
	If   string            `yaml:"if"`
	Uses string            `yaml:"uses"`
	Run  string            `yaml:"run"`
	With map[string]string `yaml:"with"`
	Env  map[string]string `yaml:"env"`
}

// TestFirstWorkflow reads the workflow of init as GitHub does: it has no key that
// is unknown there, begins by hand alone, names actions by version, and keeps the
// run directories also of a run that failed. These are hidden files, which are
// only uploaded if that is asked for.
func TestFirstWorkflow(t *testing.T) {
	for _, target := range []string{"stack/ledger", "http://localhost:8080"} {
		t.Chdir(t.TempDir())
		if err := quietApp().installWorkflow(target); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(workflowFile)
		if err != nil {
			t.Fatal(err)
		}
		var w workflowSchema
		if err := yaml.Load(text, &w, yaml.WithKnownFields()); err != nil {
			t.Fatalf("%s:\n%v", text, err)
		}
		if _, byHand := w.On["workflow_dispatch"]; !byHand || len(w.On) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("it begins on %v and may %v", w.On, w.Permissions)
		}
		job := w.Jobs["scenarios"]
		if job.RunsOn == "" || job.Timeout == 0 {
			t.Errorf("the job is %+v", job)
		}
		action := regexp.MustCompile(`^actions/[a-z-]+@v\d+$`)
		for _, s := range job.Steps {
			if (s.Uses == "") == (s.Run == "") || s.Uses != "" && !action.MatchString(s.Uses) {
				t.Errorf("step %+v", s)
			}
		}
		last := job.Steps[len(job.Steps)-1]
		if last.If != "always()" || last.With["path"] != runsRoot+"/" || last.With["include-hidden-files"] != "true" {
			t.Errorf("what is kept: %+v", last)
		}
		if !slices.ContainsFunc(job.Steps, func(s workflowStep) bool { return s.Run == "proofload run scenarios/" }) {
			t.Errorf("no run among %+v", job.Steps)
		}
	}
}
