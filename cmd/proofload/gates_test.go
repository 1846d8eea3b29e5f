package main

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/proofload/proofload/scenarios/run"
)

// TestAnswersAreTyped types at a terminal before a gate is open, something else,
// and the answer. The first answer counts, and none counts for the next gate.
func TestAnswersAreTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := quietApp()
		keyboard, terminal := io.Pipe()
		go a.takeAnswers(keyboard)
		defer terminal.Close()
		enter := func(text string) {
			if _, err := io.WriteString(terminal, text+"\n"); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		enter("yes") // nothing is asked
		answers, closeGate := a.desk.ask("gate-1")
		enter("maybe")
		if len(answers) != 0 {
			t.Fatalf("what was typed before, or is no answer, answers: %+v", <-answers)
		}
		enter(" No ")
		enter("yes")
		if got, want := <-answers, (run.Answer{By: a.who()}); got != want || len(answers) != 0 {
			t.Errorf("the answer is %+v, want %+v and no other", got, want)
		}
		closeGate()
		answers, closeGate = a.desk.ask("gate-2")
		defer closeGate()
		enter("Y")
		if got, want := <-answers, (run.Answer{GoOn: true, By: a.who()}); got != want {
			t.Errorf("the answer is %+v, want %+v", got, want)
		}
	})
}
