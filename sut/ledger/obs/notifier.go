package obs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// LevelCritical is the level of what somebody has to be told of at once: a
// [Notifier] sends it to a webhook.
const LevelCritical = slog.LevelError + 4

// DependencyKey is the attribute that names the dependency a record is about.
// Notifications of one dependency are of one kind, whatever their words.
const DependencyKey = "dependency"

const (
	defaultAlertQueue  = 64
	defaultAlertQuiet  = 5 * time.Minute
	defaultAlertRate   = 10
	maxAlertKinds      = 1000 // that are remembered
	alertTryTimeout    = 3 * time.Second
	alertTimeout       = 10 * time.Second // with repetitions
	alertShutdownGrace = 2 * time.Second
)

// NotifierOptions say where notifications go and how many at most.
type NotifierOptions struct {
	Webhook  string // URL that is posted to
	Service  string // such as "ledger-api"
	Instance string

	Queue     int           // notifications that may wait; 0 means 64
	Quiet     time.Duration // for which a kind is not repeated; 0 means 5 min
	PerMinute int           // notifications of all kinds; 0 means 10

	Transport http.RoundTripper // nil for one of its own
	Log       *slog.Logger      // hears when the webhook fails and when it is back; nil for nobody
}

// A Notifier tells a webhook of critical errors.
//
// It never holds up who logs one. Notifications wait in a bounded queue for
// [Notifier.Run] to send them. One of a kind that was sent lately is only
// counted, and the next of that kind says how many there were; what exceeds the
// rate or the queue is dropped and counted.
type Notifier struct {
	opts   NotifierOptions
	queue  chan Notification
	client *http.Client
	log    *slog.Logger

	failing bool // the last delivery; Run alone uses it

	sent    prometheus.Counter
	dropped *prometheus.CounterVec

	mu     sync.Mutex
	kinds  map[string]*alertKind
	tokens float64
	filled time.Time // when tokens was right
}

// alertKind is what is remembered of the notifications of one kind.
type alertKind struct {
	sent       time.Time
	suppressed int // since then
}

// NewNotifier returns a notifier. No connection is made yet.
func NewNotifier(opts NotifierOptions) (*Notifier, error) {
	if err := CheckEndpoint(opts.Webhook); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	if opts.Queue <= 0 {
		opts.Queue = defaultAlertQueue
	}
	if opts.Quiet <= 0 {
		opts.Quiet = defaultAlertQuiet
	}
	if opts.PerMinute <= 0 {
		opts.PerMinute = defaultAlertRate
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Transport == nil {
		opts.Transport = ownTransport()
	}
	return &Notifier{
		opts: opts, queue: make(chan Notification, opts.Queue), log: opts.Log,
		client: &http.Client{
			Transport: opts.Transport,
			Timeout:   alertTryTimeout,
			// A webhook that moves is not followed with what may be a secret.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ledger_alerts_sent_total", Help: "Notifications that the webhook took.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ledger_alerts_dropped_total", Help: "Notifications that were not sent.",
		}, []string{"reason"}),
		kinds:  map[string]*alertKind{},
		tokens: float64(opts.PerMinute), filled: time.Now(),
	}, nil
}

// Describe implements [prometheus.Collector].
func (n *Notifier) Describe(descs chan<- *prometheus.Desc) {
	n.sent.Describe(descs)
	n.dropped.Describe(descs)
}

// Collect implements [prometheus.Collector].
func (n *Notifier) Collect(metrics chan<- prometheus.Metric) {
	n.sent.Collect(metrics)
	n.dropped.Collect(metrics)
}

func (n *Notifier) drop(reason string) { n.dropped.WithLabelValues(reason).Inc() }

// Wrap returns a handler that passes records on and has the critical ones sent.
func (n *Notifier) Wrap(next slog.Handler) slog.Handler {
	return alertHandler{Handler: next, notifier: n}
}

// offer queues a notification unless it is one too many.
func (n *Notifier) offer(note Notification) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kind := n.kinds[note.kind()]
	if kind != nil && note.Time.Sub(kind.sent) < n.opts.Quiet {
		kind.suppressed++
		n.drop("duplicate")
		return
	}
	if !n.takeToken(note.Time) {
		n.drop("rate_limited")
		return
	}
	if kind != nil {
		note.Suppressed = kind.suppressed
	}
	select {
	case n.queue <- note:
		n.remember(note)
	default:
		n.drop("queue_full")
	}
}

// takeToken reports whether the rate allows one more. The caller holds the lock.
func (n *Notifier) takeToken(now time.Time) bool {
	most := float64(n.opts.PerMinute)
	n.tokens = min(most, n.tokens+now.Sub(n.filled).Minutes()*most)
	n.filled = now
	if n.tokens < 1 {
		return false
	}
	n.tokens--
	return true
}

// remember notes that a kind was sent, and forgets the oldest if there are too
// many kinds. The caller holds the lock.
func (n *Notifier) remember(note Notification) {
	if len(n.kinds) >= maxAlertKinds {
		oldest := ""
		for kind, k := range n.kinds {
			if oldest == "" || k.sent.Before(n.kinds[oldest].sent) {
				oldest = kind
			}
		}
		delete(n.kinds, oldest)
	}
	n.kinds[note.kind()] = &alertKind{sent: note.Time}
}

// forget undoes remember.
func (n *Notifier) forget(note Notification) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.kinds, note.kind())
}

// Run sends notifications until ctx is done; then it sends what waits, for a
// short time.
func (n *Notifier) Run(ctx context.Context) {
	defer n.client.CloseIdleConnections()
	grace, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(alertShutdownGrace, end) })()
	for {
		select {
		case note := <-n.queue:
			n.deliver(grace, note)
		case <-ctx.Done():
			n.rest(grace)
			return
		}
	}
}

// rest sends what waits.
func (n *Notifier) rest(ctx context.Context) {
	for {
		select {
		case note := <-n.queue:
			n.deliver(ctx, note)
		default:
			return
		}
	}
}

// deliver sends one notification.
func (n *Notifier) deliver(ctx context.Context, note Notification) {
	bounded, cancel := context.WithTimeout(ctx, alertTimeout)
	defer cancel()
	err := n.send(bounded, note)
	switch {
	case err == nil:
		n.sent.Inc()
		if n.failing {
			n.log.InfoContext(ctx, "webhook is back")
		}
	case ctx.Err() != nil:
		n.drop("shutdown")
	default:
		n.drop("send_failed")
		n.forget(note) // the next of its kind is worth another attempt
		if !n.failing {
			n.log.WarnContext(ctx, "webhook failed", Err(withoutURL(err)))
		}
	}
	n.failing = err != nil
}

// withoutURL leaves out where the webhook is, which may hold a secret.
func withoutURL(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return urlErr.Err
	}
	return err
}
