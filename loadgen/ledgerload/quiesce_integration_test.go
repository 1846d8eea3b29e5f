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
	if url == "" {
		t.Skip("PROOFLOAD_TEST_AMQP_URL is not set")
	}
	if _, _, err := queues(url); err == nil {
		t.Error("queues that do not exist could be read")
	}
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for queue, n := range map[string]int{settlementQueue: 3, deadLetterQueue: 1} {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		defer ch.QueueDelete(queue, false, false, false)
		if err := ch.Confirm(false); err != nil {
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
	queued, dead, err := queues(url)
	if err != nil || queued != 3 || dead != 1 {
		t.Errorf("queues = %d, %d, %v; want 3, 1, nil", queued, dead, err)
	}
}
