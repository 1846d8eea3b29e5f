//go:build integration

package direct

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/loadgen"
)

const brokerURL = "PROOFLOAD_TEST_AMQP_URL"

// queue makes an empty queue for a test and returns how many messages it has.
func queue(t *testing.T, name string, args amqp.Table) (depth func() int) {
	t.Helper()
	conn, err := amqp.Dial(os.Getenv(brokerURL))
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare(name, false, false, false, false, args); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = ch.QueueDelete(name, false, false, false)
		_ = conn.Close()
	})
	return func() int {
		q, err := ch.QueueDeclarePassive(name, false, false, false, false, args)
		if err != nil {
			t.Fatal(err)
		}
		return q.Messages
	}
}

func broker(t *testing.T, c Config) *Broker {
	t.Helper()
	b, err := OpenBroker(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.WithoutCancel(t.Context())) })
	return b
}

// eventually waits until a queue has so many messages: the broker puts back what
// a broken connection had at its own pace.
func eventually(t *testing.T, depth func() int, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for depth() != want {
		if !loadgen.Wait(ctx, 50*time.Millisecond) {
			t.Fatalf("the queue has %d messages, want %d", depth(), want)
		}
	}
}

func TestPublish(t *testing.T) {
	depth := queue(t, "published", nil)
	queue(t, "full", amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	b := broker(t, Config{URL: os.Getenv(brokerURL), Connections: 1})
	done, body := loadgen.Outcome{Answer: loadgen.Done}, []byte("x")
	for _, tc := range []struct {
		name string
		m    Message
		want loadgen.Outcome
	}{
		{"to a queue", Message{Key: "published", Body: body, ID: "m-1", Type: "text/plain", Headers: map[string]string{"tenant": "acme"}}, done},
		{"to none", Message{Key: "nowhere", Body: body}, said(loadgen.Refused, loadgen.ClassReturned, "the broker returned it: 312 NO_ROUTE")},
		{"to a queue with room", Message{Key: "full", Body: body}, done},
		{"to a full queue", Message{Key: "full", Body: body}, loadgen.Outcome{Answer: loadgen.Refused, Class: loadgen.ClassNacked}},
		{"to no exchange", Message{Exchange: "nowhere", Key: "x", Body: body}, said(loadgen.Refused, "amqp_404", `Exception (404) Reason: "NOT_FOUND - no exchange 'nowhere' in vhost '/'"`)},
		{"and to a queue again", Message{Key: "published", Body: body, Transient: true}, done},
	} {
		if diff := cmp.Diff(tc.want, b.Publish(t.Context(), tc.m), byText()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	if n := depth(); n != 2 {
		t.Errorf("the queue has %d messages, want 2", n)
	}
	list, o := b.Take(t.Context(), Take{Queue: "published", Messages: 10})
	want := []Delivery{
		{Headers: map[string]string{"Content-Type": "text/plain", "Message-Id": "m-1", "tenant": "acme"}, Body: body},
		{Headers: map[string]string{"Content-Type": "", "Message-Id": ""}, Body: body},
	}
	if diff := cmp.Diff(want, list); diff != "" || o != done {
		t.Errorf("taken with %+v (-want +got):\n%s", o, diff)
	}
	if n := depth(); n != 0 {
		t.Errorf("the queue has %d messages after all were taken", n)
	}
	if list, o = b.Take(t.Context(), Take{Queue: "published", Messages: 1}); len(list) != 0 || o != done {
		t.Errorf("of an empty queue: %v, %+v", list, o)
	}
	none := said(loadgen.Refused, "amqp_404", `Exception (404) Reason: "NOT_FOUND - no queue 'nowhere' in vhost '/'"`)
	_, got := b.Take(t.Context(), Take{Queue: "nowhere", Messages: 1})
	if diff := cmp.Diff(none, got, byText()); diff != "" {
		t.Errorf("of no queue (-want +got):\n%s", diff)
	}
}

// TestBrokerThatRefusesTheLogin says so, and nothing was sent.
func TestBrokerThatRefusesTheLogin(t *testing.T) {
	address, err := url.Parse(os.Getenv(brokerURL))
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword(address.User.Username(), "wrong")
	b := broker(t, Config{URL: address.String()})
	if o := b.Publish(t.Context(), Message{Key: "x"}); o.Err == nil || o.Sent || o.Class != "amqp_403" {
		t.Errorf("outcome = %+v, want amqp_403", o)
	}
}

// TestConsume waits for as many messages as are wanted, and takes no more.
func TestConsume(t *testing.T) {
	depth := queue(t, "consumed", nil)
	b := broker(t, Config{URL: os.Getenv(brokerURL)})
	publish := func(n int) {
		for i := range n {
			if o := b.Publish(t.Context(), Message{Key: "consumed", Body: fmt.Append(nil, i)}); o.Err != nil {
				t.Errorf("publish: %+v", o)
			}
		}
	}
	publish(2)
	short, cancel := context.WithTimeout(t.Context(), muteFor)
	defer cancel()
	if _, o := b.Take(short, Take{Queue: "consumed", Messages: 3, Wait: true}); o.Err == nil || o.Sent || o.Class != loadgen.ClassTimeout {
		t.Errorf("of too few: %+v, want %s and that nothing was taken", o, loadgen.ClassTimeout)
	}
	eventually(t, depth, 2)
	time.AfterFunc(100*time.Millisecond, func() { publish(3) })
	list, o := b.Take(t.Context(), Take{Queue: "consumed", Messages: 3, Wait: true})
	if len(list) != 3 || o != (loadgen.Outcome{Answer: loadgen.Done}) {
		t.Errorf("%d messages, %+v", len(list), o)
	}
	eventually(t, depth, 2)
	if _, o := b.Take(t.Context(), Take{Queue: "consumed", Messages: 1, MaxBytes: -1}); o.Class != loadgen.ClassTooLarge || o.Sent {
		t.Errorf("of a long message: %+v", o)
	}
	eventually(t, depth, 2)
}

// TestMessageWhoseConfirmationIsLost is in the queue, and nobody knows. It is
// not sent again.
func TestMessageWhoseConfirmationIsLost(t *testing.T) {
	depth := queue(t, "unconfirmed", nil)
	c, address := behind(t, brokerURL)
	b := broker(t, Config{URL: address, Connections: 1})
	publish := func(ctx context.Context) loadgen.Outcome {
		return b.Publish(ctx, Message{Key: "unconfirmed", Body: []byte("x")})
	}
	if o := publish(t.Context()); o.Err != nil {
		t.Fatalf("before: %+v", o)
	}
	c.cut.Store(true)
	if o := publish(t.Context()); o.Err == nil || !o.Sent || loadgen.Classify(o.Err) != loadgen.ClassEOF {
		t.Errorf("without its confirmation: %+v, want that it may have happened", o)
	}
	eventually(t, depth, 2)
	if o := publish(t.Context()); o.Err != nil {
		t.Errorf("on a new connection: %+v", o)
	}
	c.mute.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), muteFor)
	defer cancel()
	if o := publish(ctx); o.Err == nil || !o.Sent {
		t.Errorf("too late: %+v, want that it may have happened", o)
	}
	c.mute.Store(false)
	c.cut.Store(true)
	if _, o := b.Take(t.Context(), Take{Queue: "unconfirmed", Messages: 1}); o.Err == nil || o.Sent {
		t.Errorf("without the server's first word: %+v, want that nothing was taken", o)
	}
	eventually(t, depth, 4)
	if got := c.dials.Load(); got != 3 {
		t.Errorf("%d connections, want 3: one each time the last one broke", got)
	}
}
