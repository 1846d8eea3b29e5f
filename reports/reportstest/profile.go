package reportstest

import (
	"os"
	"testing"
	"time"
)

// BrowserProfile returns a directory for the profile of a browser, which is
// removed with the test. Processes of a browser that has ended may still write to
// it for a moment, which the test's own directories do not bear.
func BrowserProfile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "proofload-browser-") //nolint:usetesting // removed with patience
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 100 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
			<-tick.C
		}
		t.Errorf("remove the profile of the browser: %v", err)
	})
	return dir
}
