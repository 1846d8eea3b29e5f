//go:build unix

package reports

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrLocked is wrapped by the error of [Lock] when another process holds it.
var ErrLocked = errors.New("another proofload is using it")

// Lock takes a lock file, which the kernel releases when the process ends,
// however it ends. The returned function releases it before.
func Lock(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f.Close, nil
}
