package check

import "testing"

func TestReplicasAgree(t *testing.T) {
	nodes := join(standingOf("pg-1", "replica", 2, 0), standingOf("pg-2", "primary", 2, 1))
	runHandTests(t, "replicas-agree", []handTest{
		{"equal", join(nodes, checksum("pg-1", "t", "aa", 7), checksum("pg-2", "t", "aa", 7)), false, Pass, "1 table with equal checksums on 2 nodes"},
		{"differ", join(nodes, checksum("pg-1", "t", "aa", 7), checksum("pg-2", "t", "bb", 7)), false, Fail, "after drill 1 t differs between pg-1 (9 rows) and pg-2 (9 rows) at position 7"},
		{"equal at different positions", join(nodes, checksum("pg-1", "t", "aa", 6), checksum("pg-2", "t", "aa", 7)), false, Pass, "1 table with equal checksums on 2 nodes"},
		{"differ at different positions", join(nodes, checksum("pg-1", "t", "aa", 6), checksum("pg-2", "t", "bb", 7)), false, Inconclusive, "pg-1 and pg-2 were read at different positions (6 and 7) and differ in t"},
		{"other timeline", join(standingOf("pg-1", "replica", 1, 0), standingOf("pg-2", "primary", 2, 1), checksum("pg-1", "t", "aa", 7), checksum("pg-2", "t", "aa", 7)), false, Fail, "after drill 1 pg-1 is on timeline 1 and pg-2 on 2"},
		{"one not reported", join(nodes, checksum("pg-2", "t", "aa", 7)), false, Inconclusive, "pg-1 has no checksum of t"},
		{"one table of two not reported", join(nodes, checksum("pg-1", "t", "aa", 7), checksum("pg-2", "t", "aa", 7), checksum("pg-1", "u", "aa", 7)), false, Inconclusive, "pg-2 has no checksum of u"},
		{"one not read", join(nodes, failed(checksum("pg-1", "t", "", 0), "it had not rejoined within 60 s"), checksum("pg-2", "t", "aa", 7)), false, Inconclusive, "t of pg-1 was not read: it had not rejoined within 60 s"},
		{"one node", join(standingOf("pg-2", "primary", 2, 0), checksum("pg-2", "t", "aa", 7)), false, Inconclusive, "fewer than two nodes were read"},
		{"intact", join(nodes, checksum("pg-1", "t", "aa", 7), checksum("pg-2", "t", "aa", 7), intact("pg-1", 3, 0, ""), intact("pg-2", 3, 0, "")), false, Pass, "1 table with equal checksums on 2 nodes, and 6 files intact"},
		{"damaged", join(nodes, checksum("pg-1", "t", "aa", 7), checksum("pg-2", "t", "aa", 7), intact("pg-1", 3, 1, "t_pkey: a row is missing")), false, Fail, "after drill 1 1 of 3 files on pg-1 are damaged: t_pkey: a row is missing"},
		{"not looked into", join(nodes, checksum("pg-1", "t", "aa", 7), checksum("pg-2", "t", "aa", 7), failed(intact("pg-1", 0, 0, ""), "it went away")), false, Inconclusive, "the files of pg-1 could not be looked into: it went away"},
		{"nothing read", nodes, false, Inconclusive, "no checksums were taken in drill 1"},
	})
}
