package stack

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut"
)

func TestNewestBackup(t *testing.T) {
	const some = `[{"backup":[
		{"error":false,"label":"20260101-000000F","info":{"size":10,"repository":{"size":2}}},
		{"error":false,"label":"20260102-000000F","info":{"size":30,"repository":{"size":4}}}],"name":"ledger"}]`
	got, err := newestBackup(some)
	if err != nil {
		t.Fatal(err)
	}
	if want := (sut.Backup{Label: "20260102-000000F", Bytes: 30, Stored: 4}); got != want {
		t.Errorf("newest backup %+v, want %+v", got, want)
	}
	for name, info := range map[string]string{
		"nothing":   "",
		"no stanza": "[]",
		"no backup": `[{"backup":[],"name":"ledger"}]`,
		"damaged":   `[{"backup":[{"error":true,"label":"20260101-000000F"}]}]`,
		"a message": "ERROR: [056]: unable to find primary cluster",
	} {
		if b, err := newestBackup(info); err == nil {
			t.Errorf("%s: newest backup is %+v, want an error", name, b)
		}
	}
}

func TestReadRestored(t *testing.T) {
	for _, tt := range []struct {
		out  string
		want sut.Restored
		fail bool
	}{
		{out: "4096\n", want: sut.Restored{Rows: []string{}, Bytes: 4096}},
		{out: "4096\na|5|1\nb|6|1\n", want: sut.Restored{Rows: []string{"a|5|1", "b|6|1"}, Bytes: 4096}},
		{out: "", fail: true},
		{out: "NOTICE: something\n4096\n", fail: true},
	} {
		got, err := readRestored(tt.out)
		if (err != nil) != tt.fail {
			t.Errorf("readRestored(%q): %v", tt.out, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("readRestored(%q) (-want +got):\n%s", tt.out, diff)
		}
	}
}
