// Package broker breaks RabbitMQ by its own means: what operators can tell it, and
// what clients can do to it. It is told inside its node, by the port mapper of
// Erlang, and needs no plugin and no password.
//
// Whatever is injected ends by itself, also when nobody is left to undo it: by a
// process that is left beside the broker.
package broker

import (
	"fmt"
	"regexp"
	"time"

	"github.com/proofload/proofload/chaos"
	"github.com/proofload/proofload/sut"
)

// Kinds returns the faults of this package.
func Kinds() []chaos.Kind {
	return []chaos.Kind{
		memoryAlarm().Bounded(),
		diskAlarm().Bounded(),
		closeConnections().Bounded(chaos.Between("every", 100*time.Millisecond, 5*time.Second)),
		stopApp().Bounded(),
		unbind().Bounded(named("queue"), named("vhost")),
		deny().Bounded(named("user"), named("vhost")),
		stallConsumers().Bounded(named("queue")),
		poison().Bounded(named("queue"), chaos.Between("every", 10*time.Millisecond, 5*time.Second)),
		flood().Bounded(chaos.UpTo("messages", 100_000), chaos.SizeUpTo("size", 1<<20), chaos.Bound{Check: gigabyte}),
	}
}

// What these faults touch of their targets.
const (
	touchesPublishers  = "publishers"
	touchesConnections = "connections"
	touchesBindings    = "bindings"
	touchesUsers       = "permissions"
	touchesQueues      = "queues"
)

func onBrokers() []sut.Role { return []sut.Role{sut.RoleBroker} }

func queueParam() chaos.Param {
	return chaos.Param{Name: "queue", Measure: chaos.Text, About: "the queue, for example ledger.settlement"}
}

func vhostParam() chaos.Param {
	return chaos.Param{Name: "vhost", Measure: chaos.Text, Default: "/", About: "the virtual host"}
}

// named wants a text that the scripts need not quote.
func named(param string) chaos.Bound {
	return chaos.Like(param, regexp.MustCompile(`^[A-Za-z0-9_./:-]{1,120}$`), "letters, digits and any of _./:-")
}

// gigabyte bounds all messages of a flood together.
func gigabyte(k chaos.Kind, p chaos.Params) error {
	if all := int64(k.Count(p, "messages")) * k.Size(p, "size"); all > 1<<30 {
		return fmt.Errorf("%s: %s messages of %s are %d MiB: want 1024 MiB at most", k.Name, k.Value(p, "messages"), k.Value(p, "size"), all>>20)
	}
	return nil
}

const endingTold = "The broker is told so; by a process left on its node when the time is over."

// alarm is a resource of which the broker believes that there is too little.
func alarm(name, about, resource, get, set, value string) chaos.Script {
	const alarms = shellBroker + `
broker "lists:flatten(io_lib:format(\"~0p\", [[R || {{resource_limit, R, _}, _} <- rabbit_alarm:get_alarms()]]))." >/dev/null || { echo "$value"; exit 1; }
echo "alarms: $value"
`
	restore := shellBroker + `quiet "` + set + `($SAVED)."`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: name, About: about, Undone: endingTold,
			Touches: []string{touchesPublishers + " by " + resource},
		},
		Roles:  onBrokers(),
		Save:   shellBroker + `broker "lists:flatten(io_lib:format(\"~0p\", [` + get + `()]))."`,
		Inject: shellBroker + chaos.ShellLater(restore) + `quiet "` + set + `(` + value + `)."`,
		Look:   alarms + `case "$value" in *` + resource + `*) ;; *) exit 1 ;; esac`,
		Undo:   chaos.ShellEnd + restore,
		Gone:   `(` + chaos.ShellEnded + `) || exit 1` + alarms + `case "$value" in *` + resource + `*) exit 1 ;; esac`,
		By:     "alarms as the broker lists them",
	}
}

func memoryAlarm() chaos.Script {
	return alarm("rabbit-memory-alarm",
		"Lets RabbitMQ believe that it has run out of memory: connections that publish are blocked, consumers go on.",
		"memory", "vm_memory_monitor:get_vm_memory_high_watermark", "vm_memory_monitor:set_vm_memory_high_watermark", `{absolute, \"1MB\"}`)
}

func diskAlarm() chaos.Script {
	return alarm("rabbit-disk-alarm",
		"Lets RabbitMQ believe that its disk is full: connections that publish are blocked, consumers go on.",
		"disk", "rabbit_disk_monitor:get_disk_free_limit", "rabbit_disk_monitor:set_disk_free_limit", "1000000000000000")
}

// closeConnections closes what clients have opened.
func closeConnections() chaos.Script {
	// A connection that has said no more than which protocol it speaks.
	const connection = `
said=$(python3 -c '
import os, socket, sys, time
s = socket.create_connection(("127.0.0.1", 5672))
s.sendall(b"AMQP\0\0\x09\x01")
over = time.monotonic() + int(os.environ["P_EVERY"]) * 3 / 1000
while True:
    left = over - time.monotonic()
    if left <= 0:
        print("lived as long as it was wanted")
        break
    s.settimeout(left)
    try:
        if not s.recv(4096):
            print("was closed")
            break
    except socket.timeout:
        pass
    except OSError:
        print("was closed")
        break
') || said="could not be made"
echo "a connection of the probe $said"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "rabbit-close-connections",
			About:   "Closes all connections of clients to RabbitMQ, again and again: they have to connect anew, and what was not acknowledged is delivered again.",
			Undone:  "The process that does it again and again is killed; it ends by itself when the time is over.",
			Touches: []string{touchesConnections},
			Params: []chaos.Param{
				{Name: "every", Measure: chaos.Duration, Default: "500ms", About: "how often"},
			},
		},
		Roles: onBrokers(),
		Inject: shellBroker + chaos.ShellMarked + `
leave sh -c 'while :; do
	echo "[rabbit_networking:close_connection(P, \"closed by an operator\") || P <- rabbit_networking:connections()]." | erl_call -n "rabbit@$(hostname -s)" -e
	sleep "$1"
done' closing "$(printf '%d.%03d' $((P_EVERY / 1000)) $((P_EVERY % 1000)))"`,
		Look: connection + `[ "$said" = "was closed" ]`,
		Undo: chaos.ShellEnd,
		Gone: shellOver + connection + `[ "$said" = "lived as long as it was wanted" ]`,
		By:   "a connection of the probe",
	}
}

// stopApp stops the broker in its virtual machine, which goes on.
func stopApp() chaos.Script {
	const greeting = `
said=$(timeout 2 bash -c 'exec 3<>/dev/tcp/127.0.0.1/5672 && printf "AMQP\0\0\x09\x01" >&3 && head -c 1 <&3 | od -An -tu1' 2>/dev/null | tr -d ' ')
echo "a connection of the probe ${said:+was answered}${said:-was refused}"
`
	const start = shellBroker + `quiet "rabbit:start()." 60`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "rabbit-stop-app",
			About:   "Stops RabbitMQ in its virtual machine (stop_app), as an upgrade does: connections are closed, new ones are refused.",
			Undone:  "It is started again; by a process left on its node when the time is over.",
			Touches: []string{touchesConnections, chaos.TouchesProcess},
		},
		Roles:  onBrokers(),
		Inject: shellBroker + chaos.ShellLater(start) + `quiet "rabbit:stop()." 30`,
		Look:   greeting + `[ -z "$said" ]`,
		Undo:   chaos.ShellEnd + start,
		Gone:   shellOver + greeting + `[ "$said" = 1 ]`,
		By:     "a connection of the probe",
	}
}
