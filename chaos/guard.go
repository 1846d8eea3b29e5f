package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// GuardSilence is how long a run may be silent before its guard takes it for
// dead.
const GuardSilence = 5 * time.Second

// How often a lease is renewed, how long its answer may take, and how long a
// guard and a run wait for each other at first.
const (
	leaseInterval = time.Second
	leaseAnswer   = 4 * time.Second
	leaseMeeting  = 10 * time.Second
)

// What a run and its guard say to each other: one byte at a time, so that
// nothing is ever read by half.
const (
	sayBeat   = 'b' // run: still there
	sayDone   = 'd' // run: over, and nothing of it is the guard's affair any more
	sayHeld   = 'h' // guard: nothing was touched
	sayHealed = 'x' // guard: all faults were undone
)

// How a guard tries again to heal what it could not heal: how often, and with
// what pause. Each try has its own, shorter, growing pauses: see [Insist].
const (
	guardTries = 10
	guardPause = 10 * time.Second
)

// A Guard is the part of a run that outlives it: in a process of its own it
// listens to the run's heartbeat, and undoes everything when that stops.
type Guard struct {
	// Heal undoes what the run's journal has pending, or, if again is true,
	// all that was ever in it.
	Heal func(ctx context.Context, again bool) error

	// Overdue reports whether a fault has outlived its time to live, which
	// means that the run is not able to end it. Nil: never.
	Overdue func() bool

	// Say is told what happens, in one line.
	Say func(line string)
}

// Serve waits for the run to connect, watches it, and returns when the run is
// over or everything was healed. The error says what could not be healed.
//
// When ctx is done the guard ends, as if the run had died.
func (g *Guard) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // ends Accept
	defer stop()
	meeting := time.AfterFunc(leaseMeeting, func() { _ = listener.Close() }) // a run that never comes has injected nothing
	conn, err := listener.Accept()
	meeting.Stop()
	if err != nil {
		return fmt.Errorf("wait for the run: %w", err)
	}
	defer func() { _ = conn.Close() }()                           // all was said
	hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends Read
	defer hangUp()
	return g.watch(ctx, conn)
}

// watch listens to one run until it is over or dead.
//
// One that is silent but alive may wake up and inject what it had just
// journalled, so it is listened to further; it is told that it was healed. When
// it ends at last without a word, everything is healed once more.
func (g *Guard) watch(ctx context.Context, conn net.Conn) error {
	healed := false
	var word [1]byte
	for {
		err := conn.SetReadDeadline(time.Now().Add(GuardSilence))
		if err == nil {
			_, err = conn.Read(word[:])
		}
		switch {
		case err == nil && word[0] == sayDone:
			g.Say("the run is over")
			return nil
		case err == nil:
			if !healed && g.Overdue != nil && g.Overdue() {
				g.Say("a fault has outlived its time to live")
				_ = g.heal(ctx, false) // said so; healed again when the run ends
				healed = true
			}
			answer := map[bool]byte{false: sayHeld, true: sayHealed}[healed]
			_, _ = conn.Write([]byte{answer}) // a run that is gone is seen by the next read
		case errors.Is(err, os.ErrDeadlineExceeded) && !healed:
			g.Say(fmt.Sprintf("the run has been silent for %s", GuardSilence))
			_ = g.heal(ctx, false) // as above
			healed = true
		case errors.Is(err, os.ErrDeadlineExceeded):
		default:
			g.Say("the run is gone")
			return g.heal(ctx, healed)
		}
	}
}

// heal tries to heal for a long time: nobody else will.
func (g *Guard) heal(ctx context.Context, again bool) error {
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := g.Heal(ctx, again)
		if err == nil {
			g.Say("everything is healed")
			return nil
		}
		g.Say("heal: " + err.Error())
		if try == guardTries {
			return err
		}
		pause := time.NewTimer(guardPause)
		<-pause.C
	}
}
