package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/proofload/proofload/reports/history"
)

// replicasAgree checks that all database nodes have the same data: equal
// checksums of every table at equal positions of the log, on one timeline, and
// none of them in damaged files: an index that lacks a row hides it, though the
// row is there to be summed up.
type replicasAgree struct {
	course *course
	drills map[int]*copies
}

// copies are what the nodes had at the end of one drill.
type copies struct {
	timelines map[string]int               // by node; 0 if it was not read
	tables    map[string]map[string]digest // by table, then by node
	files     map[string]condition         // by node; of none if nobody looked
}

// A digest is the checksum of a table on one node.
type digest struct {
	position int64 // in the log, in bytes
	sum      string
	rows     int64
	unread   string
}

// A condition is what looking into the files of a node gave.
type condition struct {
	looked, damaged int64 // tables and indexes
	text            string
	unread          string
}

// Name returns "replicas-agree".
func (*replicasAgree) Name() string { return nameReplicas }

// Observe takes checksums, and the nodes that must have one.
func (r *replicasAgree) Observe(e *history.Event) {
	if e.By != history.ByAudit || e.Op != history.AuditRole && e.Op != history.AuditSum && e.Op != history.AuditIntact {
		return
	}
	drill := r.course.number(e)
	c := r.drills[drill]
	if c == nil {
		c = &copies{timelines: map[string]int{}, tables: map[string]map[string]digest{}, files: map[string]condition{}}
		r.drills[drill] = c
	}
	switch {
	case e.Op == history.AuditRole && e.Kind == history.Fail:
		c.timelines[e.Node] = 0
	case e.Op == history.AuditRole:
		c.timelines[e.Node] = e.Timeline
	case e.Op == history.AuditIntact && e.Kind == history.Fail:
		c.files[e.Node] = condition{unread: cmp.Or(e.Text, "no reason given")}
	case e.Op == history.AuditIntact:
		c.files[e.Node] = condition{looked: e.Count, damaged: e.Amount, text: e.Text}
	case e.Kind == history.Fail:
		c.table(e.Target)[e.Node] = digest{unread: cmp.Or(e.Text, "no reason given")}
	default:
		c.table(e.Target)[e.Node] = digest{position: e.Value, sum: e.Text, rows: e.Count}
	}
}

func (c *copies) table(name string) map[string]digest {
	t := c.tables[name]
	if t == nil {
		t = map[string]digest{}
		c.tables[name] = t
	}
	return t
}

// Verdict fails if two nodes differ at the same position or are on different
// timelines, or files of one are damaged. A node that could not be read leaves it open.
func (r *replicasAgree) Verdict() Verdict {
	var w wrongs
	doubt := r.course.anyUnread()
	nodes, tables := 0, 0
	var looked int64
	for _, d := range r.course.list() {
		c := r.drills[d.number]
		if c == nil || len(c.tables) == 0 {
			if doubt == "" {
				doubt = fmt.Sprintf("no checksums were taken in drill %d", d.number)
			}
			continue
		}
		nodes, tables = len(c.timelines), len(c.tables)
		wrong, open := c.compare()
		damaged, closed := c.intact()
		wrong, open = append(damaged, wrong...), cmp.Or(open, closed)
		looked += c.looked()
		for _, clause := range wrong {
			w.say(fmt.Sprintf("after drill %d %s", d.number, clause))
		}
		if doubt == "" {
			doubt = open
		}
	}
	pass := fmt.Sprintf("%s with equal checksums on %s", many(tables, "table"), many(nodes, "node"))
	if looked > 0 {
		pass += fmt.Sprintf(", and %s intact", many(looked, "file"))
	}
	return w.verdict(r.Name(), doubt, pass)
}

// intact says whose files are damaged, and whose could not be looked into.
func (c *copies) intact() (wrong []string, doubt string) {
	for _, node := range slices.Sorted(maps.Keys(c.files)) {
		f := c.files[node]
		switch {
		case f.unread != "":
			doubt = fmt.Sprintf("the files of %s could not be looked into: %s", node, f.unread)
		case f.damaged > 0:
			wrong = append(wrong, fmt.Sprintf("%d of %s on %s are damaged: %s", f.damaged, many(f.looked, "file"), node, f.text))
		}
	}
	return wrong, doubt
}

func (c *copies) looked() (n int64) {
	for _, f := range c.files {
		n += f.looked
	}
	return n
}

// compare says where nodes differ, and what could not be compared.
func (c *copies) compare() (wrong []string, doubt string) {
	names := slices.Sorted(maps.Keys(c.timelines))
	if len(names) < 2 {
		return nil, "fewer than two nodes were read"
	}
	for i, name := range names[1:] {
		a, b := c.timelines[names[i]], c.timelines[name]
		if a != b && a > 0 && b > 0 {
			wrong = append(wrong, fmt.Sprintf("%s is on timeline %d and %s on %d", names[i], a, name, b))
		}
	}
	for _, table := range slices.Sorted(maps.Keys(c.tables)) {
		w, d := compareTable(table, names, c.tables[table])
		wrong = append(wrong, w...)
		if doubt == "" {
			doubt = d
		}
	}
	return wrong, doubt
}

// compareTable compares one table on all nodes. At different positions equal
// checksums agree, as what lies between need not concern the table; different
// ones say nothing.
func compareTable(table string, nodes []string, digests map[string]digest) (wrong []string, doubt string) {
	for i, node := range nodes {
		d, ok := digests[node]
		switch {
		case !ok:
			doubt = fmt.Sprintf("%s has no checksum of %s", node, table)
			continue
		case d.unread != "":
			doubt = fmt.Sprintf("%s of %s was not read: %s", table, node, d.unread)
			continue
		}
		for _, other := range nodes[i+1:] {
			o, ok := digests[other]
			if !ok || o.unread != "" || d.sum == o.sum && d.rows == o.rows {
				continue
			}
			if d.position != o.position {
				doubt = fmt.Sprintf("%s and %s were read at different positions (%d and %d) and differ in %s", node, other, d.position, o.position, table)
				continue
			}
			wrong = append(wrong, fmt.Sprintf("%s differs between %s (%s) and %s (%s) at position %d",
				table, node, many(d.rows, "row"), other, many(o.rows, "row"), d.position))
		}
	}
	return wrong, doubt
}
