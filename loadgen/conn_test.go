package loadgen

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// tcpPair returns both ends of a TCP connection.
func tcpPair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for _, c := range []*net.TCPConn{client, server} {
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return client, server
}

// TestAskThatDoesNotFit has a request leave that is larger than what the
// kernel takes at once.
func TestAskThatDoesNotFit(t *testing.T) {
	client, server := tcpPair(t)
	if err := client.SetWriteBuffer(1); err != nil { // the kernel has a least size
		t.Fatal(err)
	}
	request := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	got := make(chan []byte, 1)
	go func() {
		all := make([]byte, len(request))
		_, _ = io.ReadFull(server, all)
		_, _ = server.Write([]byte("answer"))
		got <- all
	}()
	c := &countingConn{Conn: client}
	if !c.askNext(request) {
		t.Fatal("a TCP connection cannot be asked")
	}
	answer := make([]byte, 16)
	n, err := c.Read(answer)
	if err != nil || string(answer[:n]) != "answer" {
		t.Errorf("Read = %q, %v; want the answer", answer[:n], err)
	}
	if !bytes.Equal(<-got, request) {
		t.Error("the server got another request")
	}
	if c.writes.Load() == 0 {
		t.Error("no write was counted")
	}
}

// TestAskNothingSent counts no write on a connection that takes nothing.
func TestAskNothingSent(t *testing.T) {
	for name, breakIt := range map[string]func(client *net.TCPConn) error{
		"closed":      (*net.TCPConn).Close,
		"ended":       (*net.TCPConn).CloseWrite,
		"out of time": func(c *net.TCPConn) error { return c.SetDeadline(time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := tcpPair(t)
			if err := breakIt(client); err != nil {
				t.Fatal(err)
			}
			c := &countingConn{Conn: client}
			c.askNext([]byte("request"))
			if n, err := c.Read(make([]byte, 16)); err == nil || n != 0 || c.writes.Load() != 0 {
				t.Errorf("Read = %d, %v after %d writes; want an error and none", n, err, c.writes.Load())
			}
		})
	}
}
