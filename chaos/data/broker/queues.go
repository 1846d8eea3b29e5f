package broker

import "github.com/proofload/proofload/chaos"

// bindings is what there is of a queue, but for that of the default exchange,
// which cannot be removed.
const bindings = `[B || B <- rabbit_binding:list_for_destination(rabbit_misc:r(<<\"$P_VHOST\">>, queue, <<\"$P_QUEUE\">>)), element(4, element(2, B)) =/= <<>>]`

// unbind takes a queue away from its exchanges.
func unbind() chaos.Script {
	const restore = shellBroker + `quiet "[rabbit_binding:add(B, <<\"proofload\">>) || B <- binary_to_term(base64:decode(\"$SAVED\"))]."`
	const count = `broker "length(` + bindings + `)." >/dev/null || { echo "$value"; exit 1; }
echo "the queue $P_QUEUE has $value bindings"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name:    "rabbit-unbind",
			About:   "Removes the bindings of a queue, as a wrong deployment does: what is published to its exchanges does not arrive there, and nobody is told.",
			Undone:  "The bindings are made again as they were; by a process left on the node when the time is over. What did not arrive meanwhile is lost.",
			Touches: []string{touchesBindings},
			Params:  []chaos.Param{queueParam(), vhostParam()},
		},
		Roles: onBrokers(), Lasting: true,
		Save: shellBroker + count0(count) + `broker "base64:encode_to_string(term_to_binary(` + bindings + `))."`,
		Inject: shellBroker + chaos.ShellLater(restore) +
			`quiet "[rabbit_binding:remove(B, <<\"proofload\">>) || B <- binary_to_term(base64:decode(\"$SAVED\"))]."`,
		Look: shellBroker + count + `[ "$value" = 0 ]`,
		Undo: chaos.ShellEnd + restore,
		Gone: shellOver + count + `[ "$value" != 0 ]`,
		By:   "bindings as the broker lists them",
	}
}

// count0 refuses a queue without bindings, and prints nothing else.
func count0(count string) string {
	return `(` + count + `[ "$value" != 0 ]) >/dev/null || { echo "there is no queue $P_QUEUE, or it is bound to nothing"; exit 1; }
`
}

// deny takes a user's permissions.
func deny() chaos.Script {
	const user, vhost = `<<\"$P_USER\">>`, `<<\"$P_VHOST\">>`
	const permissions = `[P || P <- rabbit_auth_backend_internal:list_user_permissions(` + user + `), proplists:get_value(vhost, P) =:= ` + vhost + `]`
	const restore = shellBroker + `quiet "[rabbit_auth_backend_internal:set_permissions(` + user + `, ` + vhost + `, proplists:get_value(configure, P), proplists:get_value(write, P),
	proplists:get_value(read, P), <<\"proofload\">>) || P <- binary_to_term(base64:decode(\"$SAVED\"))]."`
	const login = `
broker "{ok, U} = rabbit_access_control:check_user_login(` + user + `, []), case catch rabbit_access_control:check_vhost_access(U, ` + vhost + `, undefined, #{}) of
	ok -> granted; _ -> refused end." >/dev/null || { echo "$value"; exit 1; }
echo "access of $P_USER to $P_VHOST is $value"
`
	return chaos.Script{
		Kind: chaos.Kind{
			Name: "rabbit-deny",
			About: "Takes a user of RabbitMQ all permissions, as a rotation of credentials does that went wrong, and closes its connections: " +
				"it cannot connect again.",
			Undone:  "The permissions are set again as they were; by a process left on the node when the time is over.",
			Touches: []string{touchesUsers},
			Params: []chaos.Param{
				{Name: "user", Measure: chaos.Text, Default: "ledger", About: "the user"}, vhostParam(),
			},
		},
		Roles: onBrokers(), Lasting: true,
		Save: shellBroker + `
quiet "[_ | _] = ` + permissions + `." >/dev/null || { echo "there is no user $P_USER, or it has no permissions"; exit 1; }
broker "base64:encode_to_string(term_to_binary(` + permissions + `))."`,
		Inject: shellBroker + chaos.ShellLater(restore) + `
quiet "rabbit_auth_backend_internal:clear_permissions(` + user + `, ` + vhost + `, <<\"proofload\">>)." &&
quiet "rabbit_networking:close_all_user_connections(` + user + `, \"closed by an operator\")."`,
		Look: shellBroker + login + `[ "$value" = refused ]`,
		Undo: chaos.ShellEnd + restore,
		Gone: shellOver + login + `[ "$value" = granted ]`,
		By:   "access as the broker grants it",
	}
}

const endingUser = "The client is killed and its user deleted; both by a process left on the node when the time is over."

// own makes a fault of a client of its own.
func own(s chaos.Script, start string) chaos.Script {
	s.Roles, s.Lasting, s.Undone = onBrokers(), true, endingUser+" "+s.Undone
	s.Touches = append(s.Touches, touchesQueues+" by "+s.Name)
	end := unmade + s.Undo
	s.Inject = shellClient + chaos.ShellLater(end) + `made && ` + start
	s.Undo = chaos.ShellEnd + end
	s.Gone = shellOver + s.Gone
	return s
}

const wantQueue = shellBroker + `
quiet "{ok, _} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"$P_QUEUE\">>))." >/dev/null || { echo "there is no queue $P_QUEUE"; exit 1; }
`

// stallConsumers takes messages and does nothing with them.
func stallConsumers() chaos.Script {
	const consumers = `
broker "length([C || C <- rabbit_amqqueue:consumers_all(<<\"/\">>), lists:member(<<\"$ID\">>, [V || {_, V} <- C])])." >/dev/null || { echo "$value"; exit 1; }
echo "the queue $P_QUEUE has $value stalled consumers"
`
	return own(chaos.Script{
		Kind: chaos.Kind{
			Name: "rabbit-consumer-stall",
			About: "Lets one more consumer of a queue take its share of the messages and acknowledge none, as a worker does that hangs: they are " +
				"neither done nor given to another until it ends.",
			Undone: "What it has taken is delivered to others then.",
			Params: []chaos.Param{queueParam()},
		},
		Save: wantQueue,
		Look: shellBroker + consumers + `[ "$value" = 1 ]`,
		Gone: consumers + `[ "$value" = 0 ]`,
		By:   "consumers as the broker lists them",
	}, `client consume "$P_QUEUE" "$ID"`)
}

// poison publishes what nobody understands.
func poison() chaos.Script {
	return own(chaos.Script{
		Kind: chaos.Kind{
			Name:   "rabbit-poison",
			About:  "Puts messages into a queue that no consumer understands, again and again. They say proofload and which fault they are of.",
			Undone: "What is in the queue then is left for its consumers, or for the dead letters.",
			Params: []chaos.Param{
				queueParam(), {Name: "every", Measure: chaos.Duration, Default: "200ms", About: "how often"},
			},
		},
		Save: wantQueue,
		Look: `n=$(cat "/tmp/$ID" 2>/dev/null); echo "the broker has confirmed ${n:-none}"; [ "${n:-0}" -gt 0 ]`,
		Undo: `rm -f "/tmp/$ID" "/tmp/$ID.new"`,
		Gone: `[ ! -e "/tmp/$ID" ]`,
		By:   "confirmations of the broker",
	}, `export COUNTED="/tmp/$ID" && client publish "$P_QUEUE" "{\"poison\": \"proofload $ID\"" 1 "$(printf '%d.%03d' $((P_EVERY / 1000)) $((P_EVERY % 1000)))" 0`)
}

// flood fills a queue of its own.
func flood() chaos.Script {
	const queue = `rabbit_misc:r(<<\"/\">>, queue, <<\"$ID\">>)`
	const never = `false` // durable, deleted by itself, or deleted only if it is unused or empty
	const remove = `
quiet "case rabbit_amqqueue:lookup(` + queue + `) of {ok, Q} -> rabbit_amqqueue:delete(Q, ` + never + `, ` + never + `, <<\"proofload\">>); _ -> ok end."
`
	const length = `
broker "case rabbit_amqqueue:lookup(` + queue + `) of {ok, Q} -> proplists:get_value(messages, rabbit_amqqueue:info(Q, [messages])); _ -> none end." >/dev/null || { echo "$value"; exit 1; }
echo "the queue of the fault has $value messages"
`
	return own(chaos.Script{
		Kind: chaos.Kind{
			Name: "rabbit-flood",
			About: "Fills a queue of its own with messages that nobody takes, as fast as the broker confirms them: it takes its memory, disk and " +
				"processor.",
			Undone: "The queue is deleted.",
			Params: []chaos.Param{
				{Name: "messages", Measure: chaos.Count, Default: "20000", About: "how many"},
				{Name: "size", Measure: chaos.Size, Default: "4KiB", About: "of each; all together 1 GiB at most"},
			},
		},
		Look: shellBroker + length + `[ "$value" -gt 0 ]`,
		Undo: remove,
		Gone: length + `[ "$value" = none ]`,
		By:   "the queue as the broker lists it",
	}, `quiet "rabbit_amqqueue:declare(`+queue+`, `+never+`, `+never+`, [], none, <<\"proofload\">>)." &&
client publish "$ID" x "$P_SIZE" 0 "$P_MESSAGES"`)
}
