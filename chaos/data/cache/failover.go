package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/chaos/netfault"
	"github.com/proofload/proofload/sut"
)

const kindFailover = "redis-failover"

// failover lets the replica take over, and leads the clients there.
func failover() chaos.Kind {
	return chaos.Kind{
		Name: kindFailover,
		About: "Lets the replica of a Redis take over (FAILOVER), and leads the links of its clients there: writes wait for a moment, and all " +
			"connections are closed. No write is lost.",
		Needs: "an environment that runs commands inside nodes, whose clients reach Redis through link proxies; the target is the master, and has one replica",
		Undone: "The two change their roles again, without loss, and the links lead where they did. One that is down is not waited for. " +
			"Should nobody be left, the next start does it.",
		Touches: []string{touchesRole, touchesClients},
		Inside:  true,
		Leads:   true,
		Check: func(p chaos.Params) error {
			if len(p.Target.Nodes) != 1 || p.Target.Nodes[0].Role != sut.RoleCache {
				return fmt.Errorf("%s acts on one node of the role %s, and %q is none: write for example redis", kindFailover, sut.RoleCache, p.Target.Ref)
			}
			return nil
		},
		New: func(env sut.Environment, targets *chaos.Targets, p chaos.Params) (chaos.Fault, error) {
			pair, err := pairOf(env)
			if err != nil {
				return nil, err
			}
			return &takeover{pair: pair, targets: targets, params: p}, nil
		},
		Heal: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
			pair, err := pairOf(env)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(u.Data, &pair.data); err != nil {
				return fmt.Errorf("read undo data: %w", err)
			}
			return pair.mend(ctx)
		},
		Gone: func(ctx context.Context, env sut.Environment, u chaos.Undo) error {
			pair, err := pairOf(env)
			if err != nil {
				return err
			}
			if err = json.Unmarshal(u.Data, &pair.data); err != nil {
				return fmt.Errorf("read undo data: %w", err)
			}
			in := takenOver{takeover: takeover{pair: pair}}
			_, err = in.Recovered(ctx)
			return err
		},
	}
}

// A failoverData is what undoing needs.
type failoverData struct {
	Master  string            `json:"master"` // nodes, as they were before
	Replica string            `json:"replica"`
	Follows string            `json:"follows"` // HOST PORT of the master, as the replica knew it
	To      string            `json:"to"`      // HOST:PORT of the replica, as its clients know it
	Links   map[string]string `json:"links"`   // HOST:PORT that each link led to
}

// A pair is a master and its replica.
type pair struct {
	env   sut.Environment
	exec  sut.Executor
	links sut.LinkController
	data  failoverData
}

func pairOf(env sut.Environment) (pair, error) {
	exec, executes := env.(sut.Executor)
	links, controls := env.(sut.LinkController)
	if !executes || !controls {
		return pair{}, fmt.Errorf("commands inside nodes, and link proxies: %w", sut.ErrUnsupported)
	}
	return pair{env: env, exec: exec, links: links}, nil
}

// A part is what one Redis does in replication.
type part struct {
	role     string // master or slave
	replicas string // how many follow it
	link     string // to its master: up or down
	follows  string // HOST PORT of its master
}

// part asks a node.
func (p pair) part(ctx context.Context, node string) (part, error) {
	out, err := p.run(ctx, node, shellMemory+`for f in role connected_slaves master_link_status master_host master_port; do echo "$f=$(info replication "$f")"; done`)
	if err != nil {
		return part{}, err
	}
	said := map[string]string{}
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		said[name] = value
	}
	if said["role"] == "" {
		return part{}, fmt.Errorf("%s does not say what its role is", node)
	}
	return part{said["role"], said["connected_slaves"], said["master_link_status"], said["master_host"] + " " + said["master_port"]}, nil
}

func (p pair) run(ctx context.Context, node, script string) (string, error) {
	return p.exec.NodeExec(ctx, node, nil, "sh", "-c", script)
}

// handOver lets the one replica of a node take over from it.
func (p pair) handOver(ctx context.Context, node string) error {
	_, err := p.run(ctx, node, shellMemory+`
cli failover timeout 10000 || exit 1
n=0; until [ "$(info replication role)" = slave ]; do n=$((n+1)); [ "$n" -lt 120 ] || { echo "its replica did not take over"; exit 1; }; sleep 0.1; done`)
	return err
}

// settled waits until no failover of a node is under way: one that was begun goes on
// when who began it is gone.
func (p pair) settled(ctx context.Context, node string) error {
	_, err := p.run(ctx, node, shellMemory+`
n=0; until case "$(info replication master_failover_state)" in ""|no-failover) ;; *) false ;; esac; do
	n=$((n+1)); [ "$n" -lt 120 ] || { echo "its failover does not end"; exit 1; }; sleep 0.1
done`)
	return err
}

// follow tells a node whom to follow, as HOST PORT, and waits until it does.
func (p pair) follow(ctx context.Context, node, master string) error {
	_, err := p.run(ctx, node, shellMemory+`
cli replicaof `+master+` || exit 1
n=0; until [ "$(info replication master_link_status)" = up ]; do n=$((n+1)); [ "$n" -lt 100 ] || { echo "it does not follow `+master+`"; exit 1; }; sleep 0.1; done`)
	return err
}

// tell tells a node whom to follow, as HOST PORT, or "no one".
func (p pair) tell(ctx context.Context, node, master string) error {
	_, err := p.run(ctx, node, shellRedis+`cli replicaof `+master)
	return err
}

// lead lets all links lead to an address, or where they led before.
func (p pair) lead(ctx context.Context, to string) error {
	var errs []error
	for link, before := range p.data.Links {
		upstream := to
		if to == "" {
			upstream = before
		}
		errs = append(errs, netfault.SetUpstream(ctx, p.links, link, upstream))
	}
	return errors.Join(errs...)
}

// isDown reports whether a node is down, or there is none.
func (p pair) isDown(ctx context.Context, node string) bool {
	if _, ok := p.env.Topology().Node(node); !ok {
		return true
	}
	killer, ok := p.env.(sut.Killer)
	if !ok {
		return false
	}
	state, err := killer.State(ctx, node)
	return err == nil && state == sut.Down
}

// mend gives both their roles back and then leads the clients back.
func (p pair) mend(ctx context.Context) error {
	if err := p.mendRoles(ctx); err != nil {
		return err
	}
	return p.lead(ctx, "")
}

// mendRoles makes the master the master. What the replica has taken meanwhile is
// kept, unless one of them is down: it is not waited for.
func (p pair) mendRoles(ctx context.Context) error {
	masterDown, replicaDown := p.isDown(ctx, p.data.Master), p.isDown(ctx, p.data.Replica)
	switch {
	case masterDown && replicaDown:
		return nil
	case masterDown: // it is a master when it starts
		return p.tell(ctx, p.data.Replica, p.data.Follows)
	case replicaDown: // it is a replica when it starts
		return p.tell(ctx, p.data.Master, "no one")
	}
	if err := p.settled(ctx, p.data.Master); err != nil {
		return err
	}
	master, err := p.part(ctx, p.data.Master)
	if err != nil {
		return err
	}
	replica, err := p.part(ctx, p.data.Replica)
	if err != nil {
		return err
	}
	const leads = "master"
	if replica.role == leads && master.role == leads { // it was restarted meanwhile
		err = p.follow(ctx, p.data.Master, strings.ReplaceAll(p.data.To, ":", " "))
		if err != nil {
			return err
		}
		master.role = "slave"
	}
	switch {
	case replica.role == leads:
		err = p.handOver(ctx, p.data.Replica)
	case master.role != leads:
		err = p.tell(ctx, p.data.Master, "no one")
	}
	if err != nil {
		return err
	}
	if replica, err = p.part(ctx, p.data.Replica); err != nil || replica.follows == p.data.Follows {
		return err
	}
	return p.tell(ctx, p.data.Replica, p.data.Follows)
}

// A takeover is the fault.
type takeover struct {
	pair

	targets *chaos.Targets
	params  chaos.Params
}

// String implements [chaos.Fault].
func (f *takeover) String() string { return kindFailover + " " + f.params.Target.Ref }

// catchUp is how long a replica may take to follow its master again, after an
// earlier fault.
const catchUp = 10 * time.Second

// Prepare implements [chaos.Fault].
func (f *takeover) Prepare(ctx context.Context) (chaos.Undo, error) {
	names, err := f.targets.Names(ctx, f.params.Target)
	if err != nil {
		return chaos.Undo{}, err
	}
	f.data = failoverData{Master: names[0], Links: map[string]string{}}
	waiting, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	err = chaos.Watch(waiting, f.findReplica)
	if err != nil {
		return chaos.Undo{}, err
	}
	err = f.findLinks(ctx)
	if err != nil {
		return chaos.Undo{}, err
	}
	data, err := json.Marshal(f.data)
	if err != nil {
		return chaos.Undo{}, fmt.Errorf("write undo data: %w", err)
	}
	undo := chaos.Undo{
		Kind: kindFailover, Target: chaos.JoinTargets([]string{f.data.Master, f.data.Replica}), Data: data,
		Manual: []string{
			"docker exec CONTAINER_OF_" + f.data.Replica + " redis-cli failover",
			"docker exec CONTAINER_OF_" + f.data.Replica + " redis-cli replicaof " + f.data.Follows,
		},
	}
	for link, before := range f.data.Links {
		base, _ := f.links.LinkControl(link)
		undo.Manual = append(undo.Manual, fmt.Sprintf(`curl -X PATCH -d '{"upstream":%q}' %s/proxies/link`, before, base))
	}
	return undo, nil
}

// findReplica wants the target to be a master with one replica that has all, and
// finds that one.
func (f *takeover) findReplica(ctx context.Context) error {
	master, err := f.part(ctx, f.data.Master)
	switch {
	case err != nil:
		return err
	case master.role != "master":
		return fmt.Errorf("%s is not the master", f.data.Master)
	case master.replicas != "1":
		return fmt.Errorf("%s is followed by %s replicas: %s wants one", f.data.Master, master.replicas, kindFailover)
	}
	for _, n := range f.env.Topology().ByRole(sut.RoleCache) {
		if n.Name == f.data.Master {
			continue
		}
		if replica, err := f.part(ctx, n.Name); err == nil && replica.role == "slave" && replica.link == "up" {
			f.data.Replica, f.data.Follows = n.Name, replica.follows
			return nil
		}
	}
	return fmt.Errorf("no node follows %s", f.data.Master)
}

// findLinks finds the links that lead to the master. The replica is reached by
// the name of its node, at the same port.
func (f *takeover) findLinks(ctx context.Context) error {
	for _, l := range f.env.Topology().Links {
		if l.To != f.data.Master || l.Carries != sut.TrafficCache {
			continue
		}
		upstream, err := netfault.Upstream(ctx, f.links, l.Name)
		if err != nil {
			return err
		}
		_, port, err := net.SplitHostPort(upstream)
		if err != nil {
			return fmt.Errorf("link %s leads to %q: %w", l.Name, upstream, err)
		}
		f.data.Links[l.Name], f.data.To = upstream, net.JoinHostPort(f.data.Replica, port)
	}
	if len(f.data.Links) == 0 {
		return fmt.Errorf("no link leads to %s, and so its clients cannot be led elsewhere: %w", f.data.Master, sut.ErrUnsupported)
	}
	return nil
}

// Inject implements [chaos.Fault].
func (f *takeover) Inject(ctx context.Context) (chaos.Injection, error) {
	in := &takenOver{takeover: *f, called: time.Now()}
	if err := f.handOver(ctx, f.data.Master); err != nil {
		return nil, err
	}
	if err := f.lead(ctx, f.data.To); err != nil {
		return nil, err
	}
	return in, nil
}

// takenOver is the fault in effect.
type takenOver struct {
	takeover

	called time.Time // the last inject or recover call
}

// Settle implements [chaos.Injection].
func (in *takenOver) Settle(ctx context.Context) (chaos.Evidence, error) {
	return in.observe(ctx, in.data.Replica, in.data.Master, func(string) string { return in.data.To })
}

// Recover implements [chaos.Injection].
func (in *takenOver) Recover(ctx context.Context) error {
	in.called = time.Now()
	return in.mend(ctx)
}

// Recovered implements [chaos.Injection].
func (in *takenOver) Recovered(ctx context.Context) (chaos.Evidence, error) {
	return in.observe(ctx, in.data.Master, in.data.Replica, func(link string) string { return in.data.Links[link] })
}

// observe waits until one takes writes, the other follows it, and all links lead
// to the one. A node that is down has no part in it.
func (in *takenOver) observe(ctx context.Context, master, replica string, want func(link string) string) (chaos.Evidence, error) {
	err := chaos.Watch(ctx, func(ctx context.Context) error {
		for link := range in.data.Links {
			upstream, err := netfault.Upstream(ctx, in.links, link)
			if err != nil {
				return err
			}
			if upstream != want(link) {
				return fmt.Errorf("link %s leads to %s", link, upstream)
			}
		}
		if !in.isDown(ctx, master) {
			if _, err := in.run(ctx, master, shellRedis+written); err != nil {
				return err
			}
		}
		if in.isDown(ctx, replica) {
			return nil
		}
		part, err := in.part(ctx, replica)
		if err == nil && (part.role != "slave" || part.link != "up") {
			err = fmt.Errorf("%s follows nobody yet", replica)
		}
		return err
	})
	if err != nil {
		return chaos.Evidence{}, err
	}
	saw := fmt.Sprintf("%s takes writes, %s follows it, and %d links lead there", master, replica, len(in.data.Links))
	return chaos.Evidence{By: "a write of the probe, and the links", Saw: saw, Took: time.Since(in.called)}, nil
}
