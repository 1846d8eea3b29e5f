// Package jobs does the asynchronous half of the ledger. It relays the events
// of the outbox to RabbitMQ, and it works on them when they arrive: transfers
// are settled, customers notified, activity projected, statements built.
//
// Delivery is at least once on every leg and each effect is idempotent, so each
// event takes effect exactly once whatever breaks in between. What stands in
// the way of an effect is told apart:
//
//   - The environment, that is the database or the broker: consumption pauses
//     and the messages stay with the broker. An outage, however long, makes no
//     dead letters.
//   - The message, for a reason that may pass: it is tried again after delays
//     that grow from level to level, and is a dead letter after the last.
//   - The message, for good: it is a dead letter at once.
//
// Dead letters keep the reason, and can be listed, tried again and removed.
//
// # Metrics
//
// Label queue is the short name of a queue: settlement, notifications,
// projection, statements. Depths also have those of the dead letters, such as
// settlement.dead, and of what waits for another attempt, such as retry.1.
//
//	ledger_jobs_delivered_total{queue}    deliveries taken from a queue, repeated ones included
//	ledger_jobs_settled_total{queue}      deliveries that took effect and were acknowledged
//	ledger_jobs_retried_total{queue}      deliveries that failed and will be tried again
//	ledger_jobs_dead_total{queue}         deliveries that became dead letters
//	ledger_jobs_paused_total{queue}       times that consumption paused because database or broker were away
//	ledger_jobs_duration_seconds{queue}   histogram of batches, from the first effect to the acknowledgement
//	ledger_jobs_queue_messages{queue}     messages ready, sampled every 15 s; none while unknown
//	ledger_jobs_connects_total{connection}  connections made: publisher, consumers, dead letters
//	ledger_jobs_queues_lost_total{queue}  times that a queue was missing which had been there
//	ledger_jobs_relayed_total             events of the outbox that were published and confirmed
//	ledger_jobs_unroutable_total          messages that came back because no queue takes them
//	ledger_jobs_relay_lag_seconds         time since everything in the outbox was seen published
package jobs
