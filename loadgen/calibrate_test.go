package loadgen

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestCalibrate(t *testing.T) {
	rate, err := Calibrate(t.Context(), 100*time.Millisecond)
	if err != nil || rate <= 0 {
		t.Errorf("%g operations per second, %v", rate, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Calibrate(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("of a calibration that was stopped: %v", err)
	}
}
