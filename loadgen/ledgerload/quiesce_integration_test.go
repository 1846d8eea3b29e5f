//go:build integration

package ledgerload

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/reports/history"
)

// TestQueues reads the depth of all queues from a real broker, at
// PROOFLOAD_TEST_AMQP_URL.
func TestQueues(t *testing.T) {
	url := os.Getenv("PROOFLOAD_TEST_AMQP_URL")
	if err := new(backlog).readQueues(url); err == nil {
		t.Error("queues that do not exist could be read")
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err = ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	for i, queue := range workQueues() {
		want[queue] = int64(i)
		fill(t, ch, queue, i)
		fill(t, ch, queue+deadSuffix, 1)
	}
	for _, queue := range delayQueues() {
		fill(t, ch, queue, 2)
	}
	var got backlog
	err = got.readQueues(url)
	if err != nil || got.dead != int64(len(want)) || got.delayed != int64(2*len(delayQueues())) {
		t.Errorf("queues = %d dead letters, %d that wait, %v; want %d, %d, nil", got.dead, got.delayed, err, len(want), 2*len(delayQueues()))
	}
	if diff := cmp.Diff(want, got.queued); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	testDeadLetters(t, ch, url, len(want))
	for _, queue := range delayQueues() {
		if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
			t.Error(err)
		}
	}
	for queue := range want {
		for _, name := range []string{queue, queue + deadSuffix} {
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				t.Error(err)
			}
		}
	}
}

// testDeadLetters reads the dead letters of all queues, twice: they stay. All but
// one of them say nothing of themselves.
func testDeadLetters(t *testing.T, ch *amqp.Channel, url string, queues int) {
	t.Helper()
	c, err := ch.PublishWithDeferredConfirm("", "ledger.settlement"+deadSuffix, false, false, amqp.Publishing{
		MessageId: "m-1", Headers: amqp.Table{deadReasonHeader: "no such account", attemptsHeader: int32(5)}, Body: []byte(`{"transfer_id":"t-1"}`),
	})
	if err != nil || !c.Wait() {
		t.Fatalf("publish: %v", err)
	}
	for range 2 {
		var file bytes.Buffer
		rec, err := history.NewRecorder(&file)
		if err != nil {
			t.Fatal(err)
		}
		a := &audit{AuditConfig: AuditConfig{AMQP: url, Recorder: rec, Drill: 1}}
		if err := errors.Join(a.deadLetters(), rec.Close()); err != nil {
			t.Fatal(err)
		}
		var named, all int
		var last history.Event
		for e, err := range history.Read(&file) {
			if err != nil {
				t.Fatal(err)
			}
			all++
			last = *e
			if e.ID == "m-1" && e.Key == "t-1" && e.Text == "no such account" && e.Count == 5 && e.Target == "ledger.settlement" {
				named++
			}
		}
		if named != 1 || all != queues+2 || last.ID != "" || last.Count != int64(queues+1) {
			t.Errorf("%d events, %d of the one that says why, last %+v; want %d dead letters", all, named, last, queues+1)
		}
	}
}

// fill makes a queue with n messages in it.
func fill(t *testing.T, ch *amqp.Channel, queue string, n int) {
	t.Helper()
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for range n {
		c, err := ch.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{Body: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		c.Wait()
	}
}
