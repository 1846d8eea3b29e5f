package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/proofload/proofload/sut"
)

// upTimeout bounds bringing a stack up once its images are there, without the
// loading of data. It is far above what a slow machine takes.
const upTimeout = 5 * time.Minute

// Up builds the images that are missing, brings a stack up and returns when
// all its nodes are ready. With an error it also returns what was started by
// then, if anything, so that its logs can be collected; closing it is the
// caller's.
func Up(ctx context.Context, cfg Config) (*Stack, error) {
	s, err := newStack(ctx, cfg)
	if err != nil {
		return nil, err
	}
	progress := serial(cfg.Progress)
	began := time.Now()
	imagesTook, err := s.prepare(ctx, progress)
	if err != nil {
		return nil, errors.Join(err, s.docker.Close())
	}
	prepared := []Part{{PartImages, imagesTook}, {"prepare", time.Since(began) - imagesTook}}
	longest := upTimeout + s.settings.data.loading
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("stack %s was not ready within %s", s.id, longest))
	defer cancel()
	if networkErr := s.createNetwork(ctx); networkErr != nil {
		return s, networkErr
	}
	parts, err := runSteps(ctx, s.steps(progress))
	if err != nil {
		return s, fmt.Errorf("bring up stack %s: %w", s.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts, s.total = slices.Concat(prepared, parts), time.Since(began)
	return s, nil
}

// serial makes a progress function safe for concurrent use.
func serial(progress func(string)) func(string) {
	var mu sync.Mutex
	return func(line string) {
		if progress == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		progress(line)
	}
}

// prepare does what needs no network yet: it refuses a stack that is already
// there, makes the images, renders the containers and chooses ports. It returns
// how long the images took.
func (s *Stack) prepare(ctx context.Context, progress func(string)) (imagesTook time.Duration, err error) {
	existing, err := s.docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: stackFilter(s.id)})
	if err != nil {
		return 0, fmt.Errorf("list containers: %w", err)
	}
	if len(existing.Items) > 0 {
		return 0, fmt.Errorf("stack %s is already there (%d containers): attach to it, or take it down first", s.id, len(existing.Items))
	}
	began := time.Now()
	images, err := loadImages(ctx)
	if err != nil {
		return imagesTook, err
	}
	if imageErr := ensureImages(ctx, s.docker, images, progress); imageErr != nil {
		return 0, imageErr
	}
	imagesTook = time.Since(began)
	tags := map[string]string{}
	for name, img := range images {
		tags[name] = img.tag()
	}
	if s.specs, err = ledgerContainers(s.settings, tags); err != nil {
		return imagesTook, err
	}
	var publishing []containerSpec
	count := 0
	for _, spec := range s.specs {
		if len(spec.Publish) > 0 {
			publishing = append(publishing, spec)
			count += len(spec.Publish)
		}
	}
	free, err := freePorts(ctx, s.id, count)
	if err != nil {
		return imagesTook, err
	}
	for _, spec := range publishing {
		ports := map[int]int{}
		for _, p := range spec.Publish {
			ports[p], free = free[0], free[1:]
		}
		s.ports[spec.Node] = ports
	}
	return imagesTook, nil
}

// stepSchema is the step that makes tables and what the ledger begins with.
const stepSchema = "schema"

// startsAfter says which steps the start of a node waits for, beside its own
// creation. Starting a container takes the engine a good part of a second, so
// what the longest way to readiness needs comes first: etcd, the first
// database node, the broker. The rest follows while those boot.
func startsAfter(n sut.Node) []string {
	first := databaseNodes()[0]
	switch n.Role {
	case sut.RoleStore, sut.RoleLinks:
		return nil
	case sut.RoleDatabase:
		if n.Name == first {
			return []string{"start " + nodeStore}
		}
		// Once the first is there to initialise the cluster, the others can
		// load while it does so, and none of them comes first.
		return []string{"begin " + first}
	case sut.RoleBroker:
		return []string{"start " + first}
	case sut.RoleService:
		return []string{"start " + nodePooler}
	case sut.RoleWorker:
		// A broker that is not there yet would only teach it to back off.
		return []string{"ready " + nodeBroker, stepSchema}
	default:
		// The configuration of router, balancer and pooler names the link
		// proxy, which is looked up when they start.
		return []string{"start " + nodeLinks, "start " + nodeBroker}
	}
}

// createsAfter says which steps the creation of a node's container waits for:
// none may be in the way of the node that takes longest.
func createsAfter(n sut.Node) []string {
	first := databaseNodes()[0]
	if n.Name == first || n.Role == sut.RoleStore || n.Role == sut.RoleLinks {
		return nil
	}
	return []string{"start " + first}
}

// readyAfter says what must have happened before it makes sense to ask a node
// whether it is ready, beside its own start.
func readyAfter(n sut.Node) []string {
	switch n.Role {
	case sut.RoleRouter:
		return []string{"ready " + databaseNodes()[0]}
	case sut.RolePooler:
		return []string{"ready " + nodeRouter}
	case sut.RoleService, sut.RoleWorker:
		return []string{"ready " + nodePooler}
	case sut.RoleBalancer:
		return []string{"start " + serviceNodes()[0]}
	default:
		return nil
	}
}

// steps lists what it takes to bring the stack up, as parallel as it can be.
func (s *Stack) steps(progress func(string)) []step {
	var steps []step
	add := func(name string, after []string, do func(context.Context) error) {
		steps = append(steps, step{name: name, after: after, do: do})
	}
	var ready []string
	for _, n := range s.topology.Nodes {
		add("create "+n.Name, createsAfter(n), func(ctx context.Context) error { return s.create(ctx, s.specs[n.Name]) })
		add("start "+n.Name, append(startsAfter(n), "create "+n.Name), func(ctx context.Context) error { return s.start(ctx, n.Name) })
		add("ready "+n.Name, append(readyAfter(n), "start "+n.Name, "start "+nodeLinks), func(ctx context.Context) error {
			if err := s.waitReady(ctx, n.Name, pollEvery); err != nil {
				return err
			}
			progress(n.Name + " is ready")
			return nil
		})
		ready = append(ready, "ready "+n.Name)
	}
	first := databaseNodes()[0]
	add("begin "+first, []string{"start " + first, "start " + nodeLinks}, func(ctx context.Context) error {
		return s.poll(ctx, first, pollEvery, func(ctx context.Context) (string, error) {
			var answered statusError
			if err := s.askPatroni(ctx, first, sut.MemberPrimary); err != nil && !errors.As(err, &answered) {
				return "", err
			}
			return "", nil // it answers, whatever it says
		})
	})
	add(stepSchema, []string{"ready " + first, "start " + serviceNodes()[0]}, func(ctx context.Context) error { return s.makeSchema(ctx, first) })
	add("check", append(ready, stepSchema), s.Verify)
	return steps
}

// makeSchema makes the tables of the service and loads its data. It runs
// in the container of a service process, which is there anyhow, but speaks to
// the primary itself: the pooler need not serve yet, and must not be used for
// a lock that belongs to a session.
func (s *Stack) makeSchema(ctx context.Context, primary string) error {
	host := containerName(s.id, serviceNodes()[0])
	env := []string{"LEDGER_DATABASE_URL=" + ledgerURL(net.JoinHostPort(primary, strconv.Itoa(portPostgres)), "ledger")}
	for _, argv := range [][]string{
		{"ledgerd", "migrate", "up"},
		{"ledgerd", "seed", "--set", s.settings.data.name},
	} {
		output, code, err := s.exec(ctx, host, argv, env)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit status %d: %s", code, lastLines(output, errorLogLines))
		}
		if err != nil {
			return fmt.Errorf("run %s: %w", strings.Join(argv, " "), err)
		}
	}
	return nil
}

// Verify implements [sut.Verifier]: nothing is made weaker for speed unless it was
// asked for, both standbys stream, and in synchronous mode one of them may be
// promoted.
func (s *Stack) Verify(ctx context.Context) error {
	if err := s.readImages(ctx); err != nil {
		return err
	}
	primary, err := s.Primary(ctx)
	if err != nil {
		return err
	}
	return s.poll(ctx, primary.Name, pollEvery, func(ctx context.Context) (string, error) {
		var fsync, pageWrites, syncCommit string
		var standbys, syncStandbys int
		err := s.queryRow(ctx, "postgres/"+primary.Name, `
			select current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
			       count(*), count(*) filter (where sync_state in ('sync', 'quorum'))
			from pg_stat_replication where state = 'streaming'`,
			&fsync, &pageWrites, &syncCommit, &standbys, &syncStandbys)
		switch {
		case err != nil:
			return "", err
		case fsync != s.settings.fsync() || pageWrites != "on" || syncCommit != "on":
			return "", fmt.Errorf("fsync is %s and has to be %s, full_page_writes %s and synchronous_commit %s have to be on", fsync, s.settings.fsync(), pageWrites, syncCommit)
		case standbys < len(databaseNodes())-1:
			return "", fmt.Errorf("%d standbys stream", standbys)
		case s.settings.sync && syncStandbys == 0:
			return "", errors.New("no standby is synchronous yet")
		case s.settings.sync && !s.hasHeir(ctx):
			return "", errors.New("the agents name no standby yet that may be promoted")
		}
		return "", nil
	})
}

// hasHeir says whether the agents agreed on a standby that may be promoted.
// They do so one cycle after the server made it synchronous; a primary that is
// lost in between has no successor until it returns.
func (s *Stack) hasHeir(ctx context.Context) bool {
	for _, n := range databaseNodes() {
		if s.askPatroni(ctx, n, "synchronous") == nil {
			return true
		}
	}
	return false
}

// withLog adds the end of a node's log to an error.
func (s *Stack) withLog(ctx context.Context, node string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logTimeout)
	defer cancel()
	var log strings.Builder
	if logErr := s.copyLog(ctx, node, strconv.Itoa(errorLogLines), &log); logErr != nil {
		return errors.Join(fmt.Errorf("node %s: %w", node, err), logErr)
	}
	return fmt.Errorf("node %s: %w; the end of its log:\n%s", node, err, lastLines(log.String(), errorLogLines))
}
