package loadgen

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/proofload/proofload/reports/history"
)

// calibrationUsers keep the engine busy without queueing for it.
const calibrationUsers = 64

// Calibrate measures how many operations per second this machine can send and
// have answered, as fast as it can for that long, with all that is recorded of
// each. The server, which answers with 60 bytes, runs beside it, so that a
// machine that only sends can do more.
func Calibrate(ctx context.Context, within time.Duration) (perSecond float64, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("calibrate: %w", err)
	}
	answer := make([]byte, 60)
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }),
		ReadHeaderTimeout: time.Minute,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until it is closed
	}()
	defer func() {
		_ = server.Close()
		<-served
	}()
	recorder, err := history.NewRecorder(io.Discard)
	if err != nil {
		return 0, fmt.Errorf("calibrate: %w", err)
	}
	defer func() { _ = recorder.Close() }() // it goes nowhere
	stats, err := Drive(ctx, Config{
		BaseURL: "http://" + listener.Addr().String(), Drill: 1, Workload: same{}, Recorder: recorder,
		Phases: []Phase{{Name: "calibrate", For: within, Profile: Closed, Users: Users{From: calibrationUsers, To: calibrationUsers}}},
	})
	if err != nil {
		return 0, fmt.Errorf("calibrate: %w", err)
	}
	return float64(stats.Completed) / within.Seconds(), nil
}

// same is a workload of one read, again and again.
type same struct{}

func (same) Ops() []string { return []string{"read"} }

func (same) Next(int, uint64) Operation {
	return Operation{Op: "read", Method: http.MethodGet, Path: "/"}
}

func (same) Observe(*Operation, bool) {}
