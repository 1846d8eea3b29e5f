package main

import (
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/proofload/proofload/scenarios"
)

// kernelLacks reports whether the kernel of this machine was built without an
// option, as far as it says what it was built with; root is its file system.
func kernelLacks(root fs.FS, option string) bool {
	built, err := readGzip(root, "proc/config.gz")
	if err != nil {
		release, releaseErr := fs.ReadFile(root, "proc/sys/kernel/osrelease")
		built, err = fs.ReadFile(root, "boot/config-"+strings.TrimSpace(string(release)))
		err = cmp.Or(releaseErr, err)
	}
	return err == nil && strings.Contains(string(built), "\n# CONFIG_"+option+" is not set\n")
}

func readGzip(root fs.FS, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// lacksOf are the means of a fault that a stack on this machine cannot have,
// because its kernel was built without them. Of an engine elsewhere nothing is
// known.
func lacksOf(root fs.FS, target, verb string) error {
	option := catalog()[verb].Kernel
	host := os.Getenv("DOCKER_HOST")
	local := runtime.GOOS == "linux" && (host == "" || strings.HasPrefix(host, "unix://"))
	if option == "" || !local || !strings.HasPrefix(target, stackPrefix) || !kernelLacks(root, option) {
		return nil
	}
	return fmt.Errorf("%s: the kernel of this machine was built without CONFIG_%s", verb, option)
}

// hintOfKernel is the mend of that.
const hintOfKernel = "take a machine whose kernel has it, or break the link instead: latency, bandwidth, slice"

// lacking lists the faults of the plan that the kernel of this machine cannot
// carry out, at their places.
func (p *planned) lacking(root fs.FS) []scenarios.Problem {
	var list []scenarios.Problem
	for _, e := range p.Scenario.Timeline {
		if err := lacksOf(root, p.Target, e.Verb); err != nil {
			list = append(list, scenarios.Problem{Pos: e.VerbPos, Width: len(e.Verb), Msg: err.Error(), Hint: hintOfKernel, Warning: true})
		}
	}
	return list
}

// able reports which faults of the plan cannot be had on this machine.
func (p *planned) able(root fs.FS) error {
	var errs []error
	for _, q := range p.lacking(root) {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s: %s", p.Scenario.File, q.Pos.Line, q.Pos.Col, q.Msg, q.Hint))
	}
	return errors.Join(errs...)
}
