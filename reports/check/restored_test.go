package check

import (
	"testing"

	"github.com/proofload/proofload/reports/history"
)

func TestRestoredWrites(t *testing.T) {
	step := func(s float64, op, verb, name string) history.Event {
		return history.Event{At: at(s), By: history.ByFault, Kind: history.Info, Op: op, ID: name, Verb: verb, Target: "postgres"}
	}
	backup := join(step(4, history.FaultInject, "backup", "full"), step(5, history.FaultSettled, "backup", "full"))
	begin := step(20, history.FaultInject, "restore", "back")
	holds := func(id string) history.Event {
		return history.Event{At: at(21), By: history.ByAudit, Kind: history.Info, Op: history.AuditRestored, Target: "back", ID: id, Amount: 5, Count: 1}
	}
	half := func(e history.Event) history.Event { e.Count = 0; return e }
	other := func(e history.Event) history.Event { e.Amount = 6; return e }
	whole := func(all, until float64) []history.Event {
		e := holds("")
		e.Count, e.Value, e.Amount = 0, int64(at(all)), int64(at(until))
		return join(e, step(22, history.FaultSettled, "restore", "back"))
	}
	load := join(wrote(1, "a"), wrote(8, "b"), wrote(15, "c"))
	kept := join(stored("a", 1, 1), stored("b", 1, 1), stored("c", 1, 1))
	runHandTests(t, "restored-writes", []handTest{
		{
			"all", join(load, backup, begin, holds("a"), holds("b"), holds("c"), whole(20, 0), kept), false, Pass,
			"back holds 3 of 3 writes that were acknowledged in drill 1, all of the 3 until 20.000 s among them, and none without those before it",
		},
		{
			"to a moment", join(load, backup, begin, holds("a"), holds("b"), whole(20, 12), kept), false, Pass,
			"back holds 2 of 3 writes that were acknowledged in drill 1, all of the 2 until 11.900 s among them, and none without those before it",
		},
		{
			"end of the log not archived", join(load, backup, begin, holds("a"), holds("b"), whole(0, 0), kept), false, Pass,
			"back holds 2 of 3 writes that were acknowledged in drill 1, all of the 1 until 4.000 s among them, and none without those before it",
		},
		{
			"tail missing", join(load, backup, begin, holds("a"), holds("b"), whole(20, 0), kept), false, Fail,
			"1 write was acknowledged until 20.000 s and missing in back, which has to have them",
		},
		{
			"older than the backup", join(load, backup, begin, whole(0, 0), kept), false, Fail,
			"1 write was acknowledged until 4.000 s and missing in back, which has to have them",
		},
		{
			"gap", join(load, backup, begin, holds("a"), holds("c"), whole(0, 0), kept), false, Fail,
			"1 write was acknowledged and missing in back, though later ones are there",
		},
		{
			"past the moment", join(load, backup, begin, holds("a"), holds("b"), holds("c"), whole(20, 12), kept), false, Fail,
			"1 write was sent after 12.000 s and present in back, which goes back to then",
		},
		{
			"too near to the moment to say", join(load, backup, begin, holds("a"), holds("b"), whole(20, 15.05), kept), false, Pass,
			"back holds 2 of 3 writes that were acknowledged in drill 1, all of the 2 until 14.950 s among them, and none without those before it",
		},
		{
			"never sent", join(load, backup, begin, holds("a"), holds("b"), holds("c"), holds("ghost"), whole(20, 0), kept), false, Fail,
			"1 write was never sent and present in back",
		},
		{
			"refused", join(load, invoke(9, "d"), done(9.1, history.Fail, "d"), backup, begin, holds("a"), holds("b"), holds("c"), holds("d"), whole(20, 0), kept), false, Fail,
			"1 write was refused or never attempted, and present in back",
		},
		{
			"nobody knows", join(load, invoke(9, "d"), done(9.1, history.Info, "d"), backup, begin, holds("a"), holds("b"), holds("c"), holds("d"), whole(20, 0), kept), false, Pass,
			"back holds 3 of 3 writes that were acknowledged in drill 1, all of the 3 until 20.000 s among them, and none without those before it",
		},
		{
			"by half", join(load, backup, begin, holds("a"), half(holds("b")), holds("c"), whole(20, 0), kept), false, Fail,
			"1 write was present by half in back",
		},
		{
			"altered", join(load, backup, begin, holds("a"), other(holds("b")), holds("c"), whole(20, 0), kept), false, Fail,
			"1 write was altered in back",
		},
		{
			"lost before", join(load, backup, begin, holds("a"), holds("c"), whole(20, 0), stored("a", 1, 1), stored("c", 1, 1)), false, Pass,
			"back holds 2 of 2 writes that were acknowledged in drill 1, all of the 2 until 20.000 s among them, and none without those before it",
		},
		{
			"failed", join(load, backup, begin, failed(step(21, history.FaultFailed, "restore", "back"), "no backup set found"), kept), false, Fail,
			"back failed in drill 1 and brought back none of 3 writes acknowledged until 20.000 s: no backup set found",
		},
		{"cut short", join(load, backup, begin, holds("a"), kept), false, Inconclusive, "back was not done when the load of drill 1 ended"},
		{
			"nothing written before", join(wrote(15, "c"), begin, whole(20, 12), stored("c", 1, 1)), false, Inconclusive,
			"no write was acknowledged before what back brings back in drill 1",
		},
		{"no restore", join(load, backup, kept), false, Inconclusive, "nothing was restored"},
	})
}
