package ledgerload

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestStillness says when what is left counts as what nobody will do.
func TestStillness(t *testing.T) {
	for _, tt := range []struct {
		name    string
		backlog func(second int64) backlog
		want    bool
	}{
		{"nothing moves", func(int64) backlog { return backlog{unsettled: 3} }, true},
		{"work is done", func(s int64) backlog { return backlog{unsettled: 100 - s} }, false},
		{"messages wait to be tried again", func(int64) backlog { return backlog{unsettled: 3, delayed: 1} }, false},
		{"they do, and nobody publishes", func(int64) backlog { return backlog{outbox: 7, unsettled: 3, delayed: 1} }, true},
		{"they do, and what was to be published is", func(s int64) backlog { return backlog{outbox: 100 - s, delayed: 1} }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				still := stillness{time.Now(), time.Now()}
				left := tt.backlog(0)
				for s := range int64(hopeless / time.Second) {
					if still.hopeless() {
						t.Fatalf("given up after %d s", s)
					}
					<-time.After(time.Second)
					now := tt.backlog(s + 1)
					still.look(now, left, true)
					left = now
				}
				if still.hopeless() != tt.want {
					t.Errorf("hopeless() = %v; want %v", still.hopeless(), tt.want)
				}
				still.look(left, left, false)
				if still.hopeless() {
					t.Error("given up although it could not be read")
				}
			})
		})
	}
}
