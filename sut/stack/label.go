package stack

// Labels on everything a stack makes. They are how a stack is found again:
// nothing is remembered elsewhere.
const (
	labelOurs    = "proofload"         // "1" on all that is ours
	labelStack   = "proofload.stack"   // id of the stack
	labelName    = "proofload.name"    // which stack it is, for example "ledger"
	labelNode    = "proofload.node"    // name of the node
	labelRun     = "proofload.run"     // run that brought it up
	labelImage   = "proofload.image"   // short name of an image
	labelOptions = "proofload.options" // the options of the stack
	labelInputs  = "proofload.inputs"  // hash of what the container was made from
	labelNet     = "proofload.net"     // node whose network namespace an auxiliary container is in
	labelStarted = "proofload.started" // start of the node the auxiliary container joined
)

// containerName is the name of a node's container.
func containerName(id, node string) string { return "proofload-" + id + "-" + node }

// networkName is the name of a stack's network.
func networkName(id string) string { return "proofload-" + id }
