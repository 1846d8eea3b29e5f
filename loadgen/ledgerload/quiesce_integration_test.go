//go:build integration

package ledgerload

import (
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestQueues reads the depth of both queues from a real broker, at
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
	fill(t, ch, settlementQueue, 3)
	fill(t, ch, deadLetterQueue, 1)
	queued, dead, err := queues(url)
	if err != nil || queued != 3 || dead != 1 {
		t.Errorf("queues = %d, %d, %v; want 3, 1, nil", queued, dead, err)
	}
	for _, queue := range []string{settlementQueue, deadLetterQueue} {
		if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
			t.Error(err)
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
