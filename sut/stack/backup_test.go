package stack

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proofload/proofload/sut"
)

func TestNewestBackup(t *testing.T) {
	const (
		first  = `{"error":false,"label":"20260101-000000F","type":"full","prior":null,"info":{"delta":10,"size":10,"repository":{"delta":2,"size":2}}}`
		second = `{"error":false,"label":"20260102-000000F","type":"full","prior":null,"info":{"delta":30,"size":30,"repository":{"delta":4,"size":4}}}`
		third  = `{"error":false,"label":"20260102-000000F_20260102-000500I","type":"incr","prior":"20260102-000000F",
			"info":{"delta":6,"size":31,"repository":{"delta":1,"size":5}}}`
	)
	for info, want := range map[string]sut.Backup{
		first + "," + second: {Label: "20260102-000000F", Kind: sut.BackupFull, Bytes: 30, Copied: 30, Stored: 4},
		second + "," + third: {
			Label: "20260102-000000F_20260102-000500I", Kind: sut.BackupIncremental, Base: "20260102-000000F", Bytes: 31, Copied: 6, Stored: 1,
		},
	} {
		got, err := newestBackup(`[{"backup":[` + info + `],"name":"ledger"}]`)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("newest backup %+v, want %+v", got, want)
		}
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
