package httpload

import (
	"net/http"
	"testing"
)

// TestDeletedCookies: a cookie whose life is over as it comes is not sent again.
func TestDeletedCookies(t *testing.T) {
	const past, future = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "; Expires=Fri, 01 Jan 2999 00:00:00 GMT"
	for _, c := range []struct{ set, want string }{
		{"sid=2" + past, ""},
		{"sid=2; Max-Age=0", ""},
		{"sid=2; Max-Age=-5" + future, ""},
		{"sid=2; Max-Age=60" + past, "sid=2"},
		{"sid=2" + future, "sid=2"},
		{"other=1" + past, "sid=1"},
	} {
		w := workload(t, parseText(t, "requests: [{name: visit, steps: [{get: /}, {get: /a}, {get: /b}]}]"), 1)
		op := w.Next(1, 0)
		_, next, _ := reply(&op, 200, http.Header{"Set-Cookie": {"sid=1"}}, "")
		_, next, _ = reply(next, 200, http.Header{"Set-Cookie": {c.set}}, "")
		if got := next.Header.Get("Cookie"); got != c.want {
			t.Errorf("after %q the cookies are %q, want %q", c.set, got, c.want)
		}
	}
}
