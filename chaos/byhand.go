package chaos

import (
	"cmp"
	"slices"
	"strings"

	"github.com/proofload/proofload/sut"
)

// What faults write into the commands of an [Undo] where the container of a node
// is meant, and the process in it, followed by the node.
const (
	containerOf = "CONTAINER_OF_"
	pidOf       = "PID_OF_"
)

// byHand puts the names that an environment gives its containers into commands,
// so that people can give them as they are printed.
func byHand(env sut.Environment, commands []string) []string {
	namer, ok := env.(sut.ContainerNamer)
	if !ok {
		return commands
	}
	nodes := slices.Clone(env.Topology().Nodes)
	slices.SortFunc(nodes, func(a, b sut.Node) int { return cmp.Compare(len(b.Name), len(a.Name)) }) // redis-2 before redis
	var pairs []string
	for _, n := range nodes {
		name := namer.ContainerName(n.Name)
		pairs = append(pairs, containerOf+n.Name, name, pidOf+n.Name, "$(docker inspect -f '{{.State.Pid}}' "+name+")")
	}
	names := strings.NewReplacer(pairs...)
	named := make([]string, len(commands))
	for i, c := range commands {
		named[i] = names.Replace(c)
	}
	return named
}
