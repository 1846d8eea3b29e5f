package direct

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/proofload/proofload/loadgen"
)

// heartbeat is how often both sides of a connection say that they are there.
const heartbeat = 10 * time.Second

// A Broker publishes and takes messages over AMQP 0-9-1. Each of its connections
// has one channel, so that what breaks one breaks no other operation.
type Broker struct {
	config   amqp.Config
	address  string // HOST:PORT
	load     loadgen.Config
	pool     *pool[*channel]
	maxBytes int64
}

// OpenBroker returns the broker of a URL amqp://. Connections are made when
// they are needed.
func OpenBroker(c Config) (*Broker, error) {
	c, err := c.withDefaults("amqp")
	if err != nil {
		return nil, err
	}
	uri, err := amqp.ParseURI(c.URL)
	if err != nil {
		return nil, errors.New("the address is no URL of a broker: want amqp://USER:PASSWORD@HOST:PORT/VHOST")
	}
	b := &Broker{
		config: amqp.Config{
			SASL: []amqp.Authentication{uri.PlainAuth()}, Vhost: uri.Vhost, Heartbeat: heartbeat, FrameSize: 128 << 10, Locale: "en_US",
			Properties: amqp.Table{"product": "proofload", "capabilities": amqp.Table{"publisher_confirms": true, "basic.nack": true}},
		},
		address: fmt.Sprintf("%s:%d", hostOf(uri.Host), uri.Port), load: c.Load, maxBytes: c.MaxBytes,
	}
	b.pool = newPool(c.Connections, b.open)
	return b, nil
}

// hostOf writes a host as it stands before a port.
func hostOf(host string) string {
	if slices.Contains([]byte(host), ':') {
		return "[" + host + "]"
	}
	return host
}

// Close ends all connections, whether or not ctx is done. No operation may be
// under way.
func (b *Broker) Close(ctx context.Context) { b.pool.close(ctx) }

// A channel is one session of a broker.
type channel struct {
	*amqp.Channel

	conn     *amqp.Connection
	wire     *wire
	confirms chan amqp.Confirmation // closed when the session is over
	returns  chan amqp.Return
	ended    chan *amqp.Error
}

func (b *Broker) open(ctx context.Context) (*channel, error) {
	conn, err := b.load.Dial(ctx, "tcp", b.address)
	if err != nil {
		return nil, err
	}
	c := &channel{wire: &wire{Conn: conn}}
	stop := c.endWith(ctx)
	defer stop()
	if c.conn, err = amqp.Open(c.wire, b.config); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if c.Channel, err = c.conn.Channel(); err == nil {
		err = c.Confirm(false)
	}
	if err != nil {
		c.close(ctx)
		return nil, err
	}
	c.confirms = c.NotifyPublish(make(chan amqp.Confirmation, 1))
	c.returns = c.NotifyReturn(make(chan amqp.Return, 1))
	c.ended = c.NotifyClose(make(chan *amqp.Error, 1))
	return c, nil
}

// endWith breaks the connection when ctx is done: the library waits for a peer
// that is silent as long as it takes. Stop reports whether that was not needed.
func (c *channel) endWith(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.wire.Close() })
}

func (c *channel) alive(context.Context, time.Duration) bool {
	return !c.IsClosed() && !c.conn.IsClosed()
}

func (c *channel) close(ctx context.Context) {
	defer c.endWith(ctx)()
	_ = c.conn.Close() // it may be broken
	_ = c.wire.Close()
}

// with has one operation carried out on a channel of its own. One that is left
// in a state that is not known is not used again.
func (b *Broker) with(ctx context.Context, do func(*channel) loadgen.Outcome) loadgen.Outcome {
	c, err := b.pool.get(ctx)
	if err != nil {
		return loadgen.Outcome{Err: err, Class: replyClass(err)}
	}
	stop := c.endWith(ctx)
	o := do(c)
	b.pool.put(ctx, c, stop() && o.Err == nil && c.alive(ctx, 0))
	return o
}

// A Message is one to publish.
type Message struct {
	Exchange, Key string
	ID            string
	Type          string // of its content, for example application/json
	Headers       map[string]string
	Body          []byte
	Transient     bool // it need not outlive the broker
}

// Publish publishes a message as mandatory and waits until the broker confirms
// it. One that is refused, or goes to no queue, is a refusal; one whose
// connection breaks before the confirmation may be in the queue.
func (b *Broker) Publish(ctx context.Context, m Message) loadgen.Outcome {
	return b.with(ctx, func(c *channel) loadgen.Outcome { return c.publish(ctx, m) })
}

func (c *channel) publish(ctx context.Context, m Message) loadgen.Outcome {
	p := amqp.Publishing{MessageId: m.ID, ContentType: m.Type, Body: m.Body, DeliveryMode: amqp.Persistent}
	if m.Transient {
		p.DeliveryMode = amqp.Transient
	}
	for name, value := range m.Headers {
		if p.Headers == nil {
			p.Headers = amqp.Table{}
		}
		p.Headers[name] = value
	}
	if err := c.PublishWithContext(ctx, m.Exchange, m.Key, true, false, p); err != nil {
		return loadgen.Outcome{Err: c.wire.why(err), Sent: !errors.Is(err, amqp.ErrClosed)}
	}
	confirmed, ok := <-c.confirms // the end of ctx breaks the connection, and that ends this
	if !ok {
		return c.over(true)
	}
	select {
	case r := <-c.returns: // it comes before the confirmation
		said := fmt.Errorf("the broker returned it: %d %s", r.ReplyCode, r.ReplyText)
		return loadgen.Outcome{Answer: loadgen.Refused, Class: loadgen.ClassReturned, Said: said}
	default:
	}
	if !confirmed.Ack {
		return loadgen.Outcome{Answer: loadgen.Refused, Class: loadgen.ClassNacked}
	}
	return loadgen.Outcome{Answer: loadgen.Done}
}

// over is the outcome of what was under way when the session ended. An error
// that ends the channel alone is the broker's answer to what was sent on it.
func (c *channel) over(sent bool) loadgen.Outcome {
	reason := errors.New("the connection was closed")
	select {
	case e, ok := <-c.ended:
		if !ok {
			break
		}
		reason = e
		if e.Server && !c.conn.IsClosed() {
			return loadgen.Outcome{Answer: loadgen.Refused, Class: replyClass(e), Said: e}
		}
	default:
	}
	return lost(c.wire.why(reason), sent, reason)
}

// lost is the outcome of an operation whose connection broke. That of one that
// certainly had no effect has the class of what broke it all the same.
func lost(err error, sent bool, said error) loadgen.Outcome {
	o := loadgen.Outcome{Err: err, Sent: sent, Class: replyClass(said)}
	if !sent && o.Class == "" {
		o.Class = loadgen.Classify(err)
	}
	return o
}

// replyClass returns the class of what a broker says itself, or none. The codes
// are those of the protocol, a dozen and a half.
func replyClass(err error) string {
	e, ok := errors.AsType[*amqp.Error](err)
	if ok && (e.Server || errors.Is(err, amqp.ErrCredentials)) { // RabbitMQ closes the connection of such a login without a word
		return loadgen.PrefixAMQP + strconv.Itoa(e.Code)
	}
	return ""
}

// A Delivery is a message that was taken.
type Delivery struct {
	Headers map[string]string
	Body    []byte
}

// A Take says what to take from a queue.
type Take struct {
	Queue    string
	Messages int   // at most; of Wait: exactly
	Wait     bool  // until there are so many, and not only what is there
	MaxBytes int64 // of all bodies; zero is the endpoint's
}

// Take takes messages and acknowledges them together, once it has all. What
// breaks before that leaves them in the queue.
func (b *Broker) Take(ctx context.Context, t Take) (list []Delivery, o loadgen.Outcome) {
	if t.MaxBytes == 0 {
		t.MaxBytes = b.maxBytes
	}
	o = b.with(ctx, func(c *channel) (o loadgen.Outcome) {
		if t.Wait {
			list, o = c.consume(ctx, t)
			return o
		}
		list, o = c.get(ctx, t)
		return o
	})
	return list, o
}

// get takes what is there.
func (c *channel) get(ctx context.Context, t Take) (list []Delivery, o loadgen.Outcome) {
	var last amqp.Delivery
	for len(list) < t.Messages {
		d, ok, err := c.Get(t.Queue, false)
		if err != nil {
			return nil, c.broke(ctx, err)
		}
		if !ok {
			break
		}
		last = d
		list = append(list, delivery(d))
		if t.MaxBytes -= int64(len(d.Body)); t.MaxBytes < 0 {
			return nil, loadgen.Outcome{Err: loadgen.ErrTooLarge, Class: loadgen.ClassTooLarge}
		}
	}
	return list, c.acknowledge(last, len(list))
}

// consume waits for as many messages as are wanted. No more than that are sent
// before they are acknowledged, so that none is left behind on this side.
func (c *channel) consume(ctx context.Context, t Take) (list []Delivery, o loadgen.Outcome) {
	const tag = "proofload"
	err := c.Qos(t.Messages, 0, false)
	if err != nil {
		return nil, c.broke(ctx, err)
	}
	deliveries, err := c.Consume(t.Queue, tag, false, false, false, false, nil)
	if err != nil {
		return nil, c.broke(ctx, err)
	}
	var last amqp.Delivery
	for len(list) < t.Messages {
		var ok bool
		select {
		case last, ok = <-deliveries:
		case <-ctx.Done():
		}
		if !ok {
			return nil, c.broke(ctx, amqp.ErrClosed)
		}
		list = append(list, delivery(last))
		if t.MaxBytes -= int64(len(last.Body)); t.MaxBytes < 0 {
			return nil, loadgen.Outcome{Err: loadgen.ErrTooLarge, Class: loadgen.ClassTooLarge}
		}
	}
	if err := c.Cancel(tag, false); err != nil {
		return nil, c.broke(ctx, err)
	}
	return list, c.acknowledge(last, len(list))
}

// broke is the outcome of an operation that broke before it acknowledged
// anything.
func (c *channel) broke(ctx context.Context, err error) loadgen.Outcome {
	if cause := context.Cause(ctx); cause != nil {
		return loadgen.Outcome{Err: cause, Class: loadgen.Classify(cause)}
	}
	if e, ok := errors.AsType[*amqp.Error](err); ok && e.Server && !c.conn.IsClosed() {
		return loadgen.Outcome{Answer: loadgen.Refused, Class: replyClass(e), Said: e}
	}
	return c.over(false)
}

// acknowledge acknowledges all that was taken. The protocol has no answer to it.
func (c *channel) acknowledge(last amqp.Delivery, n int) loadgen.Outcome {
	if n == 0 {
		return loadgen.Outcome{Answer: loadgen.Done}
	}
	if err := last.Ack(true); err != nil {
		return loadgen.Outcome{Err: c.wire.why(err), Sent: true}
	}
	return loadgen.Outcome{Answer: loadgen.Done}
}

func delivery(d amqp.Delivery) Delivery {
	headers := map[string]string{"Content-Type": d.ContentType, "Message-Id": d.MessageId}
	for name, value := range d.Headers {
		headers[name] = fmt.Sprint(value)
	}
	return Delivery{Headers: headers, Body: d.Body}
}
