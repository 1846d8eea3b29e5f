//go:build integration

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What is not a node of the stack in a list of processor time.
const (
	theLoad = "load"            // this process
	theRest = "everything else" // of the machine: the engine, the kernel, and whatever else runs
)

// clockTick is the unit of time in /proc/stat.
const clockTick = 10 * time.Millisecond

// processorTime returns the processor time that was spent so far: of each node
// of the stack, of this process, and of the rest of the machine.
func (r *benchRig) processorTime(ctx context.Context) (map[string]time.Duration, error) {
	spent := map[string]time.Duration{}
	all, err := machineTime()
	if err != nil {
		return nil, err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return nil, fmt.Errorf("read own processor time: %w", err)
	}
	spent[theLoad] = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	for _, n := range r.st.Topology().Nodes {
		of, err := r.st.Usage(ctx, n.Name)
		if err != nil {
			return nil, err
		}
		spent[n.Name] = of.Processor
	}
	for _, of := range spent {
		all -= of
	}
	spent[theRest] = all
	return spent, nil
}

// machineTime returns the time that all processors were busy since the start.
func machineTime() (time.Duration, error) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	line, err := bufio.NewReader(strings.NewReader(string(content))).ReadString('\n')
	fields := strings.Fields(line) // cpu, user, nice, system, idle, iowait, irq, softirq, steal, ...
	if err != nil || len(fields) < 9 {
		return 0, errors.New("read processor time: the first line of /proc/stat is not as it should be")
	}
	var busy time.Duration
	for i, field := range fields[1:9] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read processor time: %w", err)
		}
		if idle := i == 3 || i == 4; !idle {
			busy += time.Duration(ticks) * clockTick
		}
	}
	return busy, nil
}

// busy returns how many processors were busy in between, on average.
func busy(before, after map[string]time.Duration, took time.Duration) map[string]float64 {
	processors := map[string]float64{}
	for who, spent := range after {
		processors[who] = float64(spent-before[who]) / float64(took)
	}
	return processors
}

func printBusy(w io.Writer, processors map[string]float64, of int) {
	sum := 0.0
	for who := range processors {
		sum += processors[who]
	}
	names := slices.SortedFunc(maps.Keys(processors), func(a, b string) int {
		if processors[a] > processors[b] {
			return -1
		}
		return 1
	})
	parts := make([]string, len(names))
	for i, who := range names {
		parts[i] = fmt.Sprintf("%s %.2f", who, processors[who])
	}
	fmt.Fprintf(w, "  %-38s %.2f of %d: %s\n", "processors busy", sum, of, strings.Join(parts, ", "))
}
