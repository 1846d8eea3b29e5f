package jobs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
)

func TestDeadLetterFilter(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	letter := DeadLetter{MessageID: "m1", Topic: topicAccepted, Reason: "Transfer 6f: not found", DiedAt: noon}
	tests := []struct {
		name   string
		filter DeadLetterFilter
		want   bool
	}{
		{"everything", DeadLetterFilter{}, true},
		{"limit alone", DeadLetterFilter{Limit: 1}, true},
		{"id", DeadLetterFilter{MessageID: "m1"}, true},
		{"other id", DeadLetterFilter{MessageID: "m"}, false},
		{"topic", DeadLetterFilter{Topic: topicAccepted}, true},
		{"other topic", DeadLetterFilter{Topic: topicStatement}, false},
		{"reason", DeadLetterFilter{Reason: "Not Found"}, true},
		{"other reason", DeadLetterFilter{Reason: "malformed"}, false},
		{"before later", DeadLetterFilter{Before: noon.Add(time.Second)}, true},
		{"before then", DeadLetterFilter{Before: noon}, false},
		{"all at once", DeadLetterFilter{MessageID: "m1", Topic: topicAccepted, Reason: "6f", Before: noon.Add(time.Hour)}, true},
		{"all but one", DeadLetterFilter{MessageID: "m2", Topic: topicAccepted, Reason: "6f", Before: noon.Add(time.Hour)}, false},
	}
	for _, tt := range tests {
		if got := tt.filter.means(letter); got != tt.want {
			t.Errorf("%s: means = %t; want %t", tt.name, got, tt.want)
		}
	}
}

func TestDeadLetter(t *testing.T) {
	d := amqp.Delivery{MessageId: "m1", Type: topicAccepted, Body: []byte("{}"), Headers: amqp.Table{
		AttemptsHeader: int32(3), DeadReasonHeader: "bad", DeadTimeHeader: "2026-01-02T12:00:00Z",
		DeadQueueHeader: "ledger.settlement", "X-Correlation-ID": "corr-1",
	}}
	want := DeadLetter{
		Queue: SettlementQueue, MessageID: "m1", Topic: topicAccepted, Reason: "bad", Attempts: 3,
		DiedAt: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC), Correlation: "corr-1", Body: []byte("{}"),
	}
	if diff := cmp.Diff(want, deadLetter(SettlementQueue, d)); diff != "" {
		t.Errorf("dead letter (-want +got):\n%s", diff)
	}
	bare := deadLetter(SettlementQueue, amqp.Delivery{Headers: amqp.Table{DeadTimeHeader: "yesterday", DeadReasonHeader: 7}})
	if diff := cmp.Diff(DeadLetter{Queue: SettlementQueue}, bare); diff != "" {
		t.Errorf("dead letter of another program (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(amqp.Table{"X-Correlation-ID": "corr-1"}, revived(d.Headers)); diff != "" {
		t.Errorf("revived headers (-want +got):\n%s", diff)
	}
	if text := want.LogValue().String(); !strings.Contains(text, "bad") || !strings.Contains(text, "m1") {
		t.Errorf("logged as %s; want id and reason", text)
	}
}

func TestUnknownQueue(t *testing.T) {
	b := NewBroker("amqp://nowhere", Options{})
	if _, err := b.DeadLetters(t.Context(), "payments", DeadLetterFilter{}); err == nil || !strings.Contains(err.Error(), "settlement, notifications") {
		t.Errorf("DeadLetters of no queue = %v; want an error that names the queues", err)
	}
}
