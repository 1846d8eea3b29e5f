package scenarios

import (
	"fmt"
)

// WithNodes is the parameter of a scale: how many nodes are to run.
const WithNodes = "nodes"

// scale checks that a scale says how many nodes are to run.
func (p *parser) scale(e *draftEvent) {
	if e.Verb != VerbScale {
		return
	}
	const hint = "add for example with: {nodes: 1}"
	if e.with == nil {
		p.add(e.verbs[0], "it is not said how many nodes are to run", hint)
		return
	}
	for i, key := range e.withNode.keys {
		switch text := e.With[key.text]; {
		case key.text != WithNodes:
			p.add(key, fmt.Sprintf("a scale has no %q", key.text), DidYouMean(key.text, []string{WithNodes}))
		case text != "":
			if _, wrong := positive(text); wrong != nil {
				p.add(e.withNode.items[i], wrong.msg, wrong.hint)
			}
		}
	}
	if e.withNode.kind == mapNode && len(e.withNode.keys) == 0 {
		p.add(e.with, "it is not said how many nodes are to run", hint)
	}
}
