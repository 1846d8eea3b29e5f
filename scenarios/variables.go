package scenarios

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A mistake is a value that cannot be used: what is wrong and how to mend it.
type mistake struct{ msg, hint string }

// variablePattern takes the inside of ${...} apart: the name, and what to do
// if it is not set.
var variablePattern = regexp.MustCompile(`(?s)^([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?$`)

// variableName is what a variable of the environment, or a secret, may be called.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsVariable reports whether a variable of the environment, or a secret, may be
// called so.
func IsVariable(name string) bool { return variableName.MatchString(name) }

// resolve replaces the variables of a value:
//
//	${VAR}            its value; an error if it is not set
//	${vars.NAME}      what the file says under vars:
//	${VAR:-default}   the default if it is not set or empty
//	${VAR:?message}   an error with the message if it is not set or empty
//	${secret:NAME}    a secret, where there may be one; an error if it is not set
//	$${               a literal ${
func resolve(text string, lookup func(string) (string, bool), secrets bool) (string, *mistake) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(literal + "${")
			text = rest
			continue
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", &mistake{"this ${ is not closed", "write ${VAR}, ${VAR:-default} or ${VAR:?message}"}
		}
		value, wrong := expand(inside, lookup, secrets)
		if wrong != nil {
			return "", wrong
		}
		b.WriteString(before + value)
		text = after
	}
}

// showable refuses text with a character that would act on the terminal that
// it is shown on. A file has none as it is written, but the escapes of YAML and
// variables bring them in.
func showable(texts ...string) *mistake {
	for _, text := range texts {
		if i := strings.IndexFunc(text, acts); i >= 0 {
			r, _ := utf8.DecodeRuneInString(text[i:])
			return &mistake{fmt.Sprintf("this stands for the control character %U", r), "take it out: of those, only line breaks and tabs can be used"}
		}
	}
	return nil
}

// secretPrefix begins, within ${...}, the name of a secret.
const secretPrefix = "secret:"

// Secret returns text in which ${secret:NAME} may stand as well, for what is sent
// and never shown: a header, for example. Find returns a secret by its name; the
// caller sees to it that its value appears nowhere.
func (p *Reader) Secret(n *Node, what string, find func(name string) (value string, ok bool)) (text string, ok bool) {
	inside := Reader{problems: p.problems, lookup: func(name string) (string, bool) {
		if secret, is := strings.CutPrefix(name, secretPrefix); is {
			return find(secret)
		}
		return p.lookup(name)
	}, secrets: true}
	return inside.words(n, what)
}

// revealed finds the secrets that are named in a text.
var revealed = regexp.MustCompile(`\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}`)

// Reveal puts the values of secrets into a text in which they are named, such as
// that of a header in [Event]. What is made of it is to be sent, and kept nowhere.
func Reveal(text string, find func(name string) (value string, ok bool)) (string, error) {
	var missing error
	all := revealed.ReplaceAllStringFunc(text, func(named string) string {
		name := revealed.FindStringSubmatch(named)[1]
		value := ""
		if find != nil {
			value, _ = find(name)
		}
		if value == "" && missing == nil {
			missing = fmt.Errorf("the secret %s is not set", name)
		}
		return value
	})
	return all, missing
}

// expand returns what one variable stands for.
func expand(inside string, lookup func(string) (string, bool), secrets bool) (string, *mistake) {
	if name, ok := strings.CutPrefix(inside, secretPrefix); ok {
		if !secrets {
			return "", &mistake{
				fmt.Sprintf("the secret %s cannot be used here", name),
				"a secret may be in what a workload file sends or logs in with, and in a header of a request",
			}
		}
		value, set := lookup(inside)
		if !set || value == "" {
			return "", &mistake{fmt.Sprintf("the secret %s is not set", name), fmt.Sprintf("set %s in the environment, or %[1]s_FILE to the name of a file with it", name)}
		}
		return value, nil
	}
	if name, ok := strings.CutPrefix(inside, varPrefix); ok {
		value, set := lookup(inside)
		if !set {
			return "", &mistake{fmt.Sprintf("there is no variable %q", name), "give it under vars:, at the top of the file"}
		}
		return value, nil
	}
	m := variablePattern.FindStringSubmatch(inside)
	if m == nil {
		return "", &mistake{fmt.Sprintf("${%s} is not a variable", inside), "write ${VAR}, ${VAR:-default} or ${VAR:?message}"}
	}
	name, otherwise, text := m[1], m[2], m[3]
	value, set := lookup(name)
	switch {
	case otherwise == "-" && value == "":
		return text, nil
	case otherwise == "?" && value == "":
		return "", &mistake{fmt.Sprintf("%s is not set: %s", name, text), "set it in the environment"}
	case !set:
		return "", &mistake{name + " is not set", fmt.Sprintf("set it in the environment, or give a default: ${%s:-...}", name)}
	}
	return value, nil
}
