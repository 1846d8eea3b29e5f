//go:build integration

package stack

import "testing"

func TestBaseTmp(t *testing.T) {
	docker, err := connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := ensureBase(t.Context(), docker, func(l string) { t.Log(l) }); err != nil {
		t.Fatal(err)
	}
}
