package scenarios

import (
	"fmt"
	"strings"
)

// varPrefix begins, within ${...}, the name of a variable that the file itself
// gives under vars:. A lookup that knows such a name overrides the file.
const varPrefix = "vars."

// vars reads the variables of the file before all that may use them, and makes
// them known to the lookup of every later value. They see the environment and
// not each other.
func (p *parser) vars(root *node) {
	n := root.Find("vars")
	outer := p.lookup
	p.lookup = func(name string) (string, bool) {
		inner, ours := strings.CutPrefix(name, varPrefix)
		if !ours {
			return outer(name)
		}
		value, ok := p.sc.Vars[inner]
		return value, ok
	}
	if n == nil || n.isNull() {
		return // the mapping says that a key has no value
	}
	p.sc.Vars, p.sc.VarSpots = map[string]string{}, map[string]Spot{}
	p.Pairs(n, "variables and their values", "{peak: 200/s}", func(key, value *node) {
		if !namePattern.MatchString(key.text) {
			p.add(key, fmt.Sprintf("%q is not a name", key.text), nameHint)
			return
		}
		p.sc.VarSpots[key.text] = spotOf(key, value)
		if given, ok := outer(varPrefix + key.text); ok {
			if wrong := showable(given); wrong != nil {
				p.add(key, wrong.msg, wrong.hint)
				given = "" // said once
			}
			p.sc.Vars[key.text] = given
			return
		}
		inside := Reader{lookup: outer, problems: p.problems}
		if text, ok := inside.scalar(value, key.text); ok {
			p.sc.Vars[key.text] = text
		} else {
			p.sc.Vars[key.text] = "" // said once; what uses it is not wrong as well
		}
	})
}
