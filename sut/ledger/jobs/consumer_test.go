package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/sut/ledger/domain"
)

// newConsumer returns a consumer of a broker that is not there.
func newConsumer(job Job) *consumer {
	b := NewBroker("amqp://nowhere", Options{RetryDelays: []time.Duration{time.Second, 10 * time.Second}})
	job.queue = SettlementQueue
	if job.timeout == 0 {
		job.timeout = time.Second
	}
	return &consumer{Job: job, broker: b, metrics: b.metrics.of(job.queue), log: b.log}
}

func deliveries(bodies ...string) []amqp.Delivery {
	batch := make([]amqp.Delivery, len(bodies))
	for i, body := range bodies {
		batch[i] = amqp.Delivery{Body: []byte(body), MessageId: body, DeliveryTag: uint64(i + 1)}
	}
	return batch
}

// TestAttempt has effects fail in every way and looks at what is made of the
// batch.
func TestAttempt(t *testing.T) {
	errBad := errors.New("bad")
	errAway := fmt.Errorf("settle: %w", domain.ErrUnavailable)
	failAll := func(on string, err error) func(context.Context, [][]byte) ([]error, error) {
		return func(_ context.Context, bodies [][]byte) ([]error, error) {
			for _, body := range bodies {
				if string(body) == on {
					return nil, err
				}
			}
			return make([]error, len(bodies)), nil
		}
	}
	tests := []struct {
		name     string
		effect   func(context.Context, [][]byte) ([]error, error)
		verdicts []string // "" for effect
		stopped  bool
	}{
		{"all take effect", failAll("none", nil), []string{"", "", ""}, false},
		{"one verdict", func(context.Context, [][]byte) ([]error, error) {
			return []error{nil, errBad, nil}, nil
		}, []string{"", "bad", ""}, false},
		{"one spoils the batch", failAll("b", errBad), []string{"", "bad", ""}, false},
		{"one panics", func(_ context.Context, bodies [][]byte) ([]error, error) {
			for _, body := range bodies {
				if string(body) == "c" {
					panic("broken")
				}
			}
			return make([]error, len(bodies)), nil
		}, []string{"", "", "panic: broken"}, false},
		{"database away", failAll("a", errAway), nil, true},
		{"database away after one spoilt the batch", func(_ context.Context, bodies [][]byte) ([]error, error) {
			switch string(bodies[0]) {
			case "a":
				return nil, errBad
			default:
				return nil, errAway
			}
		}, []string{"bad"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			verdicts, err := newConsumer(Job{effect: tt.effect}).attempt(t.Context(), deliveries("a", "b", "c"))
			var got []string
			for _, v := range verdicts {
				text := ""
				if v != nil {
					text = v.Error()
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.verdicts, got); diff != "" || (err != nil) != tt.stopped {
				t.Errorf("attempt stopped = %v, want %t; verdicts (-want +got):\n%s", err, tt.stopped, diff)
			}
		})
	}
}

// TestAttemptEnds ends the process while an effect is under way: it may go on
// for the grace, and no longer.
func TestAttemptEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		c := newConsumer(Job{timeout: time.Minute, effect: func(ctx context.Context, _ [][]byte) ([]error, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		if verdicts, err := c.attempt(ctx, deliveries("a")); len(verdicts) > 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("attempt = %v, %v; want no verdict, for the end of the process says nothing of the message", verdicts, err)
		}
		if took := time.Since(began); took != drainGrace {
			t.Errorf("the effect went on for %s; want %s", took, drainGrace)
		}
	})
}

func TestCollect(t *testing.T) {
	const linger = 100 * time.Millisecond
	send := func(ch chan<- amqp.Delivery, pauses ...time.Duration) {
		for i, pause := range pauses {
			<-time.After(pause)
			ch <- amqp.Delivery{MessageId: strconv.Itoa(i)}
		}
	}
	tests := []struct {
		name   string
		pauses []time.Duration
		want   int
		took   time.Duration
	}{
		{"full at once", []time.Duration{0, 0, 0}, 3, 0},
		{"filled in time", []time.Duration{time.Hour, linger / 3, linger / 3}, 3, time.Hour + 2*(linger/3)},
		{"not filled", []time.Duration{time.Hour}, 1, time.Hour + linger},
		{"the last is too late", []time.Duration{0, linger / 2, linger}, 2, linger},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ch := make(chan amqp.Delivery, len(tt.pauses))
				began := time.Now()
				var sender sync.WaitGroup
				sender.Go(func() { send(ch, tt.pauses...) })
				defer sender.Wait()
				batch, err := newConsumer(Job{batch: 3, linger: linger}).collect(t.Context(), ch)
				if len(batch) != tt.want || err != nil || time.Since(began) != tt.took {
					t.Errorf("collect = %d, %v after %s; want %d after %s", len(batch), err, time.Since(began), tt.want, tt.took)
				}
			})
		})
	}
}

func TestCollectEnds(t *testing.T) {
	c := newConsumer(Job{batch: 3})
	closed := make(chan amqp.Delivery)
	close(closed)
	if batch, err := c.collect(t.Context(), closed); err == nil {
		t.Errorf("collect from a queue that is gone = %v, nil; want an error", batch)
	}
	full := make(chan amqp.Delivery, 1)
	full <- amqp.Delivery{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if batch, err := c.collect(ctx, full); len(batch) > 0 || err != nil {
		t.Errorf("collect after the end = %d, %v; want nothing, though there is a delivery", len(batch), err)
	}
}

func TestBackOff(t *testing.T) {
	pause := newBackOff(pauseFirst, pauseMost)
	for i := range 50 {
		mean := min(pauseFirst<<min(i, 10), pauseMost)
		if got := pause.NextBackOff(); got < mean/2 || got > mean*3/2 {
			t.Fatalf("pause %d = %s; want %s, give or take a half", i+1, got, mean)
		}
	}
	pause.Reset()
	if got := pause.NextBackOff(); got > pauseFirst*3/2 {
		t.Errorf("pause after Reset = %s; want about %s", got, pauseFirst)
	}
}

func TestRelayLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMetrics()
		if got := m.relayLag(); got != 0 {
			t.Errorf("lag without a relay = %g s; want 0", got)
		}
		m.caughtUp(time.Now())
		<-time.After(3 * time.Second)
		if got := m.relayLag(); got != 3 {
			t.Errorf("lag = %g s; want 3", got)
		}
	})
}

func TestCheckURL(t *testing.T) {
	if err := CheckURL("amqp://ledger:hunter2@host:port/"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("CheckURL of a bad URL = %v; want an error without the password", err)
	}
	if err := CheckURL("amqp://ledger:hunter2@host:5672/"); err != nil {
		t.Errorf("CheckURL of a good URL = %v; want nil", err)
	}
}
