package broker

import "github.com/proofload/proofload/chaos"

// client is a small client of AMQP 0-9-1 in Python, which brokers of Erlang have
// on their nodes for less than an image of its own. It logs in as the user that
// the fault made, and does one of:
//
//	publish QUEUE BODY TIMES PAUSE COUNT
//	    a confirmed message each PAUSE seconds, which is the body so many times,
//	    COUNT of them or, for 0, until its end; how many there were so far goes to
//	    the file COUNTED
//	consume QUEUE TAG
//	    takes messages and acknowledges none
const client = `
import os, socket, struct, sys, time

def short(text):
    return bytes([len(text)]) + text.encode()

class Channel:
    def __init__(self):
        self.wire = socket.create_connection(("127.0.0.1", 5672))
        self.input = self.wire.makefile("rb")
        self.wire.sendall(b"AMQP\0\0\x09\x01")
        self.until((10, 10))
        plain = "\0{0}\0{0}".format(os.environ["ID"]).encode()
        table = struct.pack(">I", 0)
        self.method(0, (10, 11), table + short("PLAIN") + struct.pack(">I", len(plain)) + plain + short("en_US"))
        limits = self.until((10, 30))
        self.method(0, (10, 31), limits[:6] + struct.pack(">H", 0)) # no heartbeats: the broker sees the process end
        self.method(0, (10, 40), short(os.environ.get("P_VHOST", "/")) + b"\0\0")
        self.until((10, 41))
        self.method(1, (20, 10), b"\0")
        self.until((20, 11))

    def frame(self, kind, channel, payload):
        self.wire.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce")

    def method(self, channel, which, arguments):
        self.frame(1, channel, struct.pack(">HH", *which) + arguments)

    def read(self):
        head = self.input.read(7)
        if len(head) < 7:
            sys.exit("the broker has closed the connection")
        kind, _, size = struct.unpack(">BHI", head)
        return kind, self.input.read(size + 1)[:-1]

    def until(self, want):
        while True:
            kind, payload = self.read()
            if kind != 1:
                continue
            which = struct.unpack(">HH", payload[:4])
            if which == want:
                return payload[4:]
            if which in ((10, 50), (20, 40)):
                sys.exit(payload[7:7 + payload[6]].decode())

def publish(queue, body, times, pause, count):
    channel, done, body = Channel(), 0, body.encode() * int(times)
    channel.method(1, (85, 10), b"\0")
    channel.until((85, 11))
    while count == "0" or done < int(count):
        channel.method(1, (60, 40), struct.pack(">H", 0) + short("") + short(queue) + b"\0")
        channel.frame(2, 1, struct.pack(">HHQH", 60, 0, len(body), 0))
        channel.frame(3, 1, body)
        channel.until((60, 80))
        done += 1
        if "COUNTED" in os.environ:
            with open(os.environ["COUNTED"] + ".new", "w") as f:
                f.write(str(done))
            os.replace(os.environ["COUNTED"] + ".new", os.environ["COUNTED"])
        time.sleep(float(pause))

def consume(queue, tag):
    channel = Channel()
    channel.method(1, (60, 20), struct.pack(">H", 0) + short(queue) + short(tag) + b"\0" + struct.pack(">I", 0))
    channel.until((60, 21))
    while True:
        channel.read()

{"publish": publish, "consume": consume}[sys.argv[1]](*sys.argv[2:])
`

const (
	// shellBroker defines broker, which evaluates an expression in the broker and
	// prints what it is; it fails if the broker does. That takes a tenth of a
	// second, where the broker's own command line takes several.
	shellBroker = `
HOME=$(getent passwd "$(stat -c %U "/proc/$NODE_PID")" | cut -d : -f 6); export HOME # where the broker's cookie is
broker() {
	value=$(echo "$1" | timeout "${2:-8}" erl_call -n "rabbit@$(hostname -s)" -e 2>&1)
	case "$value" in
	"{ok, "*) value=${value#"{ok, "}; value=${value%"}"}; value=${value#\"}; value=${value%\"}; echo "$value" ;;
	*) echo "${value:-the broker does not answer}"; return 1 ;;
	esac
}
quiet() { broker "$@" >/dev/null || { echo "$value"; return 1; }; }
`
	// shellUser defines what makes and removes the user of the fault, with whose
	// sessions all ends that it does.
	shellUser = shellBroker + `
made() {
	quiet "rabbit_auth_backend_internal:add_user(<<\"$ID\">>, <<\"$ID\">>, <<\"proofload\">>),
rabbit_auth_backend_internal:set_permissions(<<\"$ID\">>, <<\"/\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"proofload\">>)."
}
`
	// unmade removes the user, whether there is one or not.
	unmade = shellBroker + `
quiet "case rabbit_auth_backend_internal:exists(<<\"$ID\">>) of
	true -> rabbit_networking:close_all_user_connections(<<\"$ID\">>, \"the fault is over\"), rabbit_auth_backend_internal:delete_user(<<\"$ID\">>, <<\"proofload\">>);
	false -> ok
end."
`
	// shellClient defines client, which leaves the client.
	shellClient = shellUser + chaos.ShellMarked + `
client() { leave python3 -c "$CLIENT" "$@"; }
CLIENT=$(cat <<'END_OF_CLIENT'` + client + `
END_OF_CLIENT
)
`
	// shellOver wants the fault to have left no process.
	shellOver = `(` + chaos.ShellEnded + `) || exit 1
` + shellBroker
)
