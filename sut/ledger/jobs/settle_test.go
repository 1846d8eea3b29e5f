package jobs

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestDecodeAccepted(t *testing.T) {
	const id = "6f1f6d1e-0c38-4bd4-9f5a-5f1c3d9e0a01"
	got, err := decodeAccepted([]byte(`{"transfer_id":"` + id + `","timeline":2,"from":1,"from_version":7,"to":2,"to_version":8,"amount":5,"later":true}`))
	want := accepted{TransferID: uuid.MustParse(id), Timeline: 2, From: 1, FromVersion: 7, To: 2, ToVersion: 8}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("decodeAccepted = %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"transfer_id":"x"}`, `{"transfer_id":"` + id + `","timeline":-1}`} {
		if _, err := decodeAccepted([]byte(bad)); !errors.Is(err, errMalformed) {
			t.Errorf("decodeAccepted(%s) = %v; want %v", bad, err, errMalformed)
		}
	}
}

func TestCheckURL(t *testing.T) {
	if err := CheckURL("amqp://u:hunter2@host:port/"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("CheckURL of a bad URL = %v; want an error without the password", err)
	}
	if err := CheckURL("amqp://u:hunter2@host:5672/"); err != nil {
		t.Errorf("CheckURL of a good URL = %v; want nil", err)
	}
}
