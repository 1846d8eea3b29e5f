package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// How often a kill switch is looked at, and how long an answer may take.
const (
	switchInterval = time.Second
	switchAnswer   = 900 * time.Millisecond
)

// ErrEngaged is wrapped by errors that say that a kill switch is engaged.
var ErrEngaged = errors.New("the kill switch is engaged")

// A KillSwitch is where people say that nothing may be broken any more. One that
// cannot be reached counts as engaged.
type KillSwitch struct {
	file string
	url  string
}

// ParseKillSwitch reads where a kill switch is:
//
//	file:/run/proofload/STOP   engaged while there is such a file
//	https://host/path          released while it answers with a status of 2xx
func ParseKillSwitch(text string) (KillSwitch, error) {
	if path, ok := strings.CutPrefix(text, "file:"); ok && filepath.IsAbs(path) {
		return KillSwitch{file: path}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return KillSwitch{}, fmt.Errorf("%q is not a kill switch", text)
	}
	return KillSwitch{url: text}, nil
}

// String says where the switch is, without a password.
func (k KillSwitch) String() string {
	if k.file != "" {
		return "file:" + k.file
	}
	u, err := url.Parse(k.url)
	if err != nil {
		return "URL"
	}
	return u.Redacted()
}

// Check looks at the switch. The error wraps [ErrEngaged].
func (k KillSwitch) Check(ctx context.Context) error {
	if k.file != "" {
		return k.checkFile()
	}
	ctx, cancel := context.WithTimeout(ctx, switchAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, http.NoBody)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrEngaged, k, err)
	}
	// Where it leads elsewhere, such as to a page to log in at, that is no answer.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %s cannot be reached: %w", ErrEngaged, k, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4096) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%w: %s answers %s", ErrEngaged, k, resp.Status)
	}
	return nil
}

// checkFile wants the file not to be there, and its directory to be.
func (k KillSwitch) checkFile() error {
	if _, err := os.Stat(filepath.Dir(k.file)); err != nil {
		return fmt.Errorf("%w: %s cannot be reached: %w", ErrEngaged, k, err)
	}
	_, err := os.Stat(k.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %s cannot be reached: %w", ErrEngaged, k, err)
	}
	return fmt.Errorf("%w: there is a %s", ErrEngaged, k)
}

// Watch looks at the switch each second until it is engaged, and says why it
// is, or until ctx is done, and returns nil.
func (k KillSwitch) Watch(ctx context.Context) error {
	tick := time.NewTicker(switchInterval)
	defer tick.Stop()
	for {
		err := k.Check(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
