package httpload

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/proofload/proofload/scenarios"
)

// headersOf reads headers.
func (p *parser) headersOf(n *scenarios.Node, sc *scope) []header {
	var list []header
	p.Pairs(n, "headers and their values", "{Accept: application/json}", func(k, v *scenarios.Node) {
		if !headerName.MatchString(k.Text()) {
			p.Add(k, fmt.Sprintf("%q is not the name of a header", k.Text()), "use letters, digits and -")
			return
		}
		if t, ok := p.template(v, k.Text(), sc); ok {
			list = append(list, header{http.CanonicalHeaderKey(k.Text()), t})
		}
	})
	return list
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
