package api

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// What the document says of the interface as a whole, and what several of its
// operations share.
const (
	about = `A payments ledger: customers, accounts, transfers with their refunds, and statements.

Amounts are integers in the minor unit of the currency. Times are RFC 3339 in UTC. Requests and answers are JSON; fields that are unknown, missing, given twice or null are refused.

Changes carry an id made by the client, in the path or as Idempotency-Key. Repeating a request with its id does nothing a second time; it is answered with 200 instead of 201. The same id with another request is refused with 409. After 503, 504 or no answer at all, repeat the request with the same id to learn what became of it.

Single things have an ETag. Send it as If-None-Match to be answered 304 if nothing changed, and as If-Match to change the thing only if nobody else did: otherwise the answer is 412.

Lists come in pages. Take the next page from the Link header, or send next as cursor and leave the other parameters as they are. A cursor names an entry, so that no entry is repeated or skipped, whatever is inserted meanwhile.

Reads take consistency=strong for the primary or consistency=replica for a read replica. Send the Ledger-Position of a change along to read from a replica what was changed.

Answers name the instance (Ledger-Instance), what kind of store answered (Ledger-Source), its timeline (Ledger-Timeline) and the correlation id (X-Correlation-ID), which clients may choose. Problems are problem documents (RFC 9457). Answers of 1 KiB and more are compressed if the client takes gzip.`

	replayed    = "The same request was served before. Nothing was done again; this is what it made, as it is now."
	notModified = "It still has the ETag that was sent as If-None-Match."
)

// tags returns the groups of operations, in the order of the page.
func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: transfersTag, Description: "Money that moves between accounts, and back."},
		{Name: accountsTag, Description: "Where the money is."},
		{Name: customersTag, Description: "Whose accounts they are."},
		{Name: statementsTag, Description: "What happened on an account in a period. They are requested, and built by a job."},
		{Name: notificationsTag, Description: "What customers are told of transfers."},
		{Name: v1Tag, Description: "The first version, for clients that have not moved yet. See " + v1Notice + " for what it loses and when it ends."},
	}
}

func exampleID() uuid.UUID { return uuid.MustParse("6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01") }

func exampleTime() time.Time { return time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC) }
