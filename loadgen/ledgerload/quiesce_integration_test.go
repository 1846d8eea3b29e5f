//go:build integration

package ledgerload

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
)

// TestQueues reads the depth of all queues from a real broker, at
// PROOFLOAD_TEST_AMQP_URL.
func TestQueues(t *testing.T) {
	url := os.Getenv("PROOFLOAD_TEST_AMQP_URL")
	if _, _, err := queues(url); err == nil {
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
	queued, dead, err := queues(url)
	if err != nil || dead != int64(len(want)) {
		t.Errorf("queues = %d dead letters, %v; want %d, nil", dead, err, len(want))
	}
	if diff := cmp.Diff(want, queued); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	for queue := range want {
		for _, name := range []string{queue, queue + deadSuffix} {
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				t.Error(err)
			}
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
