package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/proofload/proofload/reports"
	"github.com/proofload/proofload/sut"
	"github.com/proofload/proofload/sut/stack"
)

// What a machine should have.
const (
	leastDisk   = 4 << 30 // bytes: images, and the data of a run
	leastMemory = 6 << 20 // KiB, of stack/ledger with some room
	leastFiles  = 4096    // open at once: connections
	leastPorts  = 10_000  // for outgoing connections
	worstTimer  = 5 * time.Millisecond
)

// A finding is what the doctor says of one thing.
type finding struct {
	about string // what was looked at
	saw   string
	mend  string // empty: it is as it should be
	warn  bool   // runs are possible all the same
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check that this machine can carry runs out, and say how to mend what is in the way",
		Long: `Check the container engine, the kernel, images, clock, ports, memory and disk.
Nothing is changed. Exit code 3 says that something is in the way of a run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			bad := false
			for _, f := range examine(cmd.Context()) {
				word := "ok"
				switch {
				case f.mend != "" && f.warn:
					word = "warning"
				case f.mend != "":
					word, bad = "PROBLEM", true
				}
				fmt.Fprintf(a.stdout, "%-8s %-8s %s\n", word, f.about, f.saw)
				if f.mend != "" {
					fmt.Fprintf(a.stdout, "%-8s %-8s = %s\n", "", "", f.mend)
				}
			}
			if bad {
				return exit(reports.ExitEnvironment, nil)
			}
			return nil
		},
	}
}

// examine looks at everything that a run needs.
func examine(ctx context.Context) []finding {
	return slices.Concat(examineEngine(ctx), []finding{
		examineKernel(os.DirFS("/")), examineMemory(), examineClock(ctx), examinePorts(ctx), examineFiles(), examineDisk(),
	})
}

func examineEngine(ctx context.Context) []finding {
	version, err := stack.Engine(ctx)
	if err != nil {
		return []finding{
			{about: "engine", saw: err.Error(), mend: "start Docker; only targets that run already can be tested without it"},
			{about: "images", saw: "not known without an engine", mend: "start Docker", warn: true},
		}
	}
	found := []finding{{about: "engine", saw: "Docker " + version}}
	missing, err := stack.MissingImages(ctx)
	switch {
	case err != nil:
		return append(found, finding{about: "images", saw: err.Error(), mend: "see what the engine says: docker images"})
	case len(missing) > 0:
		return append(found, finding{
			about: "images", saw: "missing: " + strings.Join(missing, ", "), warn: true,
			mend: "proofload up makes them, in some minutes; it needs a registry or a package mirror",
		})
	}
	return append(found, finding{about: "images", saw: "all there"})
}

// examineMemory looks at what is free for a stack.
func examineMemory() finding {
	const file = "/proc/meminfo"
	kib, err := numberAfter(file, "MemAvailable:")
	f := finding{about: "memory", saw: fmt.Sprintf("%.1f GiB available", float64(kib)/(1<<20))}
	switch {
	case err != nil:
		f.saw, f.mend, f.warn = err.Error(), fmt.Sprintf("see that %d GiB are free", leastMemory>>20), true
	case kib < leastMemory:
		f.mend, f.warn = fmt.Sprintf("stack/ledger wants %d GiB: end other programs, or take a larger machine", leastMemory>>20), true
	}
	return f
}

// examineClock looks at how late a timer is, and at where the time comes from.
func examineClock(ctx context.Context) finding {
	const rounds = 50
	late := make([]time.Duration, 0, rounds)
	tick := time.NewTimer(0)
	defer tick.Stop()
	for range rounds {
		began := time.Now()
		tick.Reset(time.Millisecond)
		select {
		case <-tick.C:
			late = append(late, time.Since(began)-time.Millisecond)
		case <-ctx.Done():
			return finding{about: "clock", saw: "interrupted", mend: "run proofload doctor again"}
		}
	}
	slices.Sort(late)
	worst := late[rounds*9/10]
	f := finding{about: "clock", saw: fmt.Sprintf("timers %s late at the 90th percentile", worst.Round(10*time.Microsecond))}
	if source, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource"); err == nil {
		f.saw += ", source " + strings.TrimSpace(string(source))
	}
	if worst > worstTimer {
		f.mend, f.warn = "the machine is busy, or its processor is shared: sends will be late, and runs inconclusive; use a quieter one", true
	}
	return f
}

// examinePorts looks at whether a port can be had, and how many there are.
func examinePorts(ctx context.Context) finding {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err == nil {
		err = l.Close()
	}
	f := finding{about: "ports"}
	if err != nil {
		f.saw, f.mend = err.Error(), "let programs listen on 127.0.0.1"
		return f
	}
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	text, err := os.ReadFile(file)
	if err != nil {
		f.saw = "127.0.0.1 can be listened on"
		return f
	}
	var low, high int
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil {
		f.saw, f.mend, f.warn = fmt.Sprintf("%s says %q", file, text), "set it: sysctl net.ipv4.ip_local_port_range=\"32768 60999\"", true
		return f
	}
	f.saw = fmt.Sprintf("%d for outgoing connections", high-low+1)
	if high-low+1 < leastPorts {
		f.mend, f.warn = "sysctl net.ipv4.ip_local_port_range=\"32768 60999\"", true
	}
	return f
}

func examineFiles() finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return finding{about: "files", saw: err.Error(), mend: "see that ulimit -n is at least " + strconv.Itoa(leastFiles), warn: true}
	}
	f := finding{about: "files", saw: fmt.Sprintf("%d may be open at once", limit.Cur)}
	if limit.Cur < leastFiles {
		f.mend, f.warn = fmt.Sprintf("ulimit -n %d", leastFiles), true
	}
	return f
}

// examineDisk looks at the disk that run directories are on.
func examineDisk() finding {
	dir, err := filepath.Abs(".")
	var fs syscall.Statfs_t
	if err = errors.Join(err, syscall.Statfs(dir, &fs)); err != nil {
		return finding{about: "disk", saw: err.Error(), mend: "run proofload in a directory that can be read"}
	}
	free := fs.Bavail * uint64(fs.Bsize) //nolint:gosec // a size
	f := finding{about: "disk", saw: fmt.Sprintf("%.1f GiB free below %s", float64(free)/(1<<30), dir)}
	if free < leastDisk {
		f.mend = fmt.Sprintf("free %d GiB: proofload down --all removes stacks, docker system prune old images", leastDisk>>30)
	}
	if err := writable(dir); err != nil {
		f.saw, f.mend = err.Error(), "run proofload where it may write: run directories are made below "+runsRoot
	}
	return f
}

// writable reports why no file can be made in a directory.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".proofload-doctor-")
	if err != nil {
		return fmt.Errorf("make a file: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// numberAfter reads the number that follows a word in a file.
func numberAfter(file, word string) (uint64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", runtime.GOOS, err)
	}
	_, rest, _ := strings.Cut(string(text), word)
	for field := range strings.FieldsSeq(rest) {
		return strconv.ParseUint(field, 10, 64)
	}
	return 0, fmt.Errorf("%s has no %s", file, word)
}

// needs says what a target takes of this machine. Only a stack runs on it.
func needs(target string, topology sut.Topology) string {
	if !strings.HasPrefix(target, stackPrefix) {
		return ""
	}
	return fmt.Sprintf("Docker, with %d GiB of memory and %d GiB of disk free, for %d containers; images that it does not have are made first. proofload doctor checks that",
		leastMemory>>20, leastDisk>>30, len(topology.Nodes))
}
