package run

import (
	"context"
	"fmt"
	"time"

	"github.com/proofload/proofload/reports/history"
	"github.com/proofload/proofload/scenarios/plan"
	"github.com/proofload/proofload/sut"
)

// Holdings say how to learn which writes of a drill a restored copy of the
// database holds.
type Holdings struct {
	Query string // what to ask the copy
	// Read makes the event of a row: id, amount and how many times the write took
	// effect.
	Read func(row string) (history.Event, error)
}

// backup has the database backed up. It waits for a backup that is not done yet:
// an incremental one begins at that.
func (t *timeline) backup(ctx context.Context, s plan.Step) error {
	restorer, ok := t.rig.Env.(sut.Restorer)
	if !ok {
		return t.fail(s, "back up", sut.ErrUnsupported)
	}
	select {
	case t.backups <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-t.backups }()
	node := s.Params.Target.Ref
	t.noteTarget(s, history.FaultInject, node)
	t.rig.Journal.Note(s.Verb, node, "")
	b, err := restorer.Backup(ctx, s.Backup)
	if cutShort(ctx, err) {
		return nil
	}
	if err != nil {
		return t.fail(s, "back up", err)
	}
	t.noteTarget(s, history.FaultInjected, node)
	t.note(s, history.FaultSettled, history.OK, evidenceOf(b))
	return nil
}

// evidenceOf says what was backed up.
func evidenceOf(b sut.Backup) string {
	if b.Kind == sut.BackupIncremental {
		return fmt.Sprintf("incremental backup %s: %d bytes of %d have changed since %s, %d stored", b.Label, b.Copied, b.Bytes, b.Base, b.Stored)
	}
	return fmt.Sprintf("full backup %s: %d bytes, %d stored", b.Label, b.Bytes, b.Stored)
}

// restore has a copy of the database brought back, and records what it holds. A
// restore that fails does not end the drill: whether one can be had is what the
// drill is to find out.
func (t *timeline) restore(ctx context.Context, s plan.Step) error {
	restorer, ok := t.rig.Env.(sut.Restorer)
	if !ok || t.rig.Holdings == nil {
		return t.fail(s, "restore", sut.ErrUnsupported)
	}
	until, ok := t.marked(s.To)
	if !ok {
		return t.fail(s, "restore", fmt.Errorf("the mark %s was not reached", s.To))
	}
	node, err := t.place(ctx, s.Params.Target)
	if cutShort(ctx, err) {
		return nil
	}
	if err != nil {
		return t.fail(s, "restore", err)
	}
	began := t.rig.Recorder.Now()
	t.noteTarget(s, history.FaultInject, node)
	t.rig.Journal.Note(s.Verb, node, "")
	var to time.Time
	if s.To != "" {
		to = time.Now().Add(until - began)
	}
	holdings := t.rig.Holdings(t.drill.N)
	got, err := restorer.Restore(ctx, node, to, holdings.Query)
	if cutShort(ctx, err) {
		return nil
	}
	if err == nil {
		t.noteTarget(s, history.FaultInjected, node)
		err = t.noteRestored(s, node, got.Rows, holdings)
	}
	if err != nil {
		t.note(s, history.FaultFailed, history.Fail, err.Error())
		return nil
	}
	all := t.audited(s, node)
	all.Count, all.Amount = int64(len(got.Rows)), int64(until)
	if got.Archived {
		all.Value = int64(began)
	}
	t.rig.Recorder.Record(all)
	took := t.rig.Recorder.Now() - began
	t.note(s, history.FaultSettled, history.OK, fmt.Sprintf("restored on %s, writable and followed by a replica: %d bytes, %.1f MB/s, %d writes of the drill",
		node, got.Bytes, float64(got.Bytes)/1e6/took.Seconds(), len(got.Rows)))
	return nil
}

// noteRestored records the writes that a copy holds.
func (t *timeline) noteRestored(s plan.Step, node string, rows []string, holdings Holdings) error {
	for _, row := range rows {
		e, err := holdings.Read(row)
		if err != nil {
			return fmt.Errorf("read the restored copy: %w", err)
		}
		w := t.audited(s, node)
		w.ID, w.Amount, w.Count = e.ID, e.Amount, e.Count
		t.rig.Recorder.Record(w)
	}
	return nil
}

// audited makes the common part of what is read from a copy.
func (t *timeline) audited(s plan.Step, node string) history.Event {
	return history.Event{
		At: t.rig.Recorder.Now(), Kind: history.Info, By: history.ByAudit, Op: history.AuditRestored,
		Drill: t.drill.N, Node: node, Target: s.Entry.Name,
	}
}

// mark remembers when a mark was set.
func (t *timeline) mark(s plan.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks[s.Entry.Name] = t.rig.Recorder.Now()
}

// marked returns the moment of a mark, and whether it was reached. That of no
// mark is 0.
func (t *timeline) marked(name string) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.marks[name]
	return at, ok || name == ""
}

// place finds the node to restore on: of several one that is not the primary,
// which has enough to do. It does not make an old primary of the one that is.
func (t *timeline) place(ctx context.Context, sel sut.Selection) (string, error) {
	finder, ok := t.rig.Env.(sut.PrimaryFinder)
	if !ok {
		return "", fmt.Errorf("find the primary: %w", sut.ErrUnsupported)
	}
	primary, err := finder.Primary(ctx)
	if sel.Member == sut.MemberPrimary {
		return primary.Name, err
	}
	nodes, err := t.targets.Nodes(ctx, sel)
	if err != nil {
		return "", err
	}
	for _, n := range nodes {
		if n.Name != primary.Name {
			return n.Name, nil
		}
	}
	if len(nodes) == 0 {
		return "", fmt.Errorf("resolve %s: there is no such node", sel.Ref)
	}
	return nodes[0].Name, nil
}
