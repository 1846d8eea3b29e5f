package draft

import (
	"math/rand/v2"
	"os"
	"testing"
)

// TestMutations breaks documents in ways that a fuzzer seldom finds: with what
// means something in them, or in a workload file. Whatever is written must be a
// workload.
func TestMutations(t *testing.T) {
	words := []string{
		"{", "}", "[]", "null", "${", "$${", `"`, ":", "/", "#", "?", "{id}", " ", "-1", "1e400", "\n", "é", "\x00", "uuid", "name",
		"recent.", "in: header", "$ref", `\u0000`, "%zz", "true", "a: 1", "email", "string", "/v1/",
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, file := range []string{"testdata/shop.openapi.yaml", "testdata/petstore.openapi.json", "testdata/shop.har"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		written := 0
		for range 200 {
			broken := string(src)
			for range 1 + rng.IntN(4) {
				i := rng.IntN(len(broken))
				broken = broken[:i] + words[rng.IntN(len(words))] + broken[min(len(broken), i+rng.IntN(4)):]
			}
			for _, write := range []func(string, []byte) ([]byte, error){OpenAPI, HAR} {
				if text, err := write("f", []byte(broken)); err == nil {
					written++
					read(t, text)
				}
			}
		}
		if written == 0 {
			t.Errorf("%s: nothing was written: the mutations are too wild", file)
		}
	}
}
