package main

import (
	"context"
	"fmt"
	"sync"
	"unicode"

	"github.com/proofload/proofload/reports/live"
	"github.com/proofload/proofload/scenarios/run"
)

// keyHint says what the keys are.
const keyHint = "a abort  g gate  l logs"

const escape = '\x1b'

// A console is what the keys of a terminal do while runs go on. What cannot be
// taken back is asked for first: y is yes, n is no, Esc is neither. A nil one has
// no keys.
type console struct {
	desk *desk
	who  string
	stop func() // ends the runs, as Ctrl-C does

	mu    sync.Mutex
	shown *shownKeys // nil: no run is shown
	asked *decision  // nil: nothing is asked
}

// shownKeys are what keys need of the run that is shown.
type shownKeys struct {
	state *live.State
	say   func(line string)
	logs  func(ctx context.Context) // shows the logs of its nodes

	showing context.Context // until it is not shown any more
	looking sync.WaitGroup  // for logs
	busy    bool
}

// A decision is asked for.
type decision struct{ yes, no func() }

// show lets the keys be about a run from now on, until hide.
func (c *console) show(ctx context.Context, state *live.State, say func(string), logs func(context.Context)) (hide func()) {
	if c == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a run that was stopped can be looked at
	shown := &shownKeys{state: state, say: say, logs: logs, showing: ctx}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown, c.asked = shown, nil
	state.Hint(keyHint)
	return func() {
		c.mu.Lock()
		c.shown, c.asked = nil, nil
		c.mu.Unlock()
		cancel()
		shown.looking.Wait()
	}
}

// press does what a key is for.
func (c *console) press(key byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shown == nil {
		return
	}
	switch unicode.ToLower(rune(key)) {
	case 'a':
		c.ask("stop the run and mend?  y stops, n goes on", decision{yes: c.stop, no: func() {}})
	case 'g':
		if !c.gate() {
			c.shown.say("no gate is open")
		}
	case 'l':
		c.look()
	case 'y':
		c.decide(func(d decision) { d.yes() })
	case 'n':
		c.decide(func(d decision) { d.no() })
	case escape:
		c.forget()
	}
}

// ask puts a question where the keys are named.
func (c *console) ask(question string, d decision) {
	c.asked = &d
	c.shown.state.Hint(question)
}

// forget ends a question.
func (c *console) forget() {
	c.asked = nil
	c.shown.state.Hint(keyHint)
}

// decide answers what is asked. Where nothing is, whoever types yes or no means
// the gate, which is asked for first.
func (c *console) decide(do func(decision)) {
	if c.asked == nil {
		c.gate()
		return
	}
	d := *c.asked
	c.forget()
	do(d)
}

// gate asks for the answer to the open gate, if there is one.
func (c *console) gate() bool {
	id, ok := c.desk.which()
	if !ok {
		return false
	}
	answer := func(goOn bool) func() {
		say := c.shown.say
		return func() {
			if err := c.desk.settle(id, run.Answer{GoOn: goOn, By: c.who}); err != nil {
				say(err.Error())
			}
		}
	}
	c.ask(fmt.Sprintf("pass %s?  y goes on, n stops the run", id), decision{yes: answer(true), no: answer(false)})
	return true
}

// look shows what the nodes log, while the run goes on.
func (c *console) look() {
	s := c.shown
	if s.busy {
		return
	}
	s.busy = true
	s.looking.Go(func() {
		s.logs(s.showing)
		c.mu.Lock()
		defer c.mu.Unlock()
		s.busy = false
	})
}
