package stack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestShellGroup sets limits in files as either version of control groups has
// them, and reads them back.
func TestShellGroup(t *testing.T) {
	const id = "4f66ad9d4c1b"
	for _, tt := range []struct {
		name, group   string
		files         map[string]string // what is there at first
		before, limit string
	}{
		{"version 1", "blkio/docker/" + id, map[string]string{"blkio.throttle.write_bps_device": "", "blkio.throttle.write_iops_device": ""}, "0 0", "1048576 50"},
		{"version 1, set", "blkio/docker/" + id, map[string]string{"blkio.throttle.write_bps_device": "8:0 7\n254:0 5000\n", "blkio.throttle.write_iops_device": "254:0 9\n"}, "5000 9", "1048576 50"},
		{"version 2", "system.slice/docker-" + id + ".scope", map[string]string{"io.max": ""}, "0 0", "1048576 50"},
		{"version 2, set", "system.slice/docker-" + id + ".scope", map[string]string{"io.max": "8:0 rbps=max wbps=7 riops=max wiops=7\n254:0 rbps=max wbps=5000 riops=max wiops=9\n"}, "5000 9", "1048576 50"},
		{"version 2, half", "system.slice/docker-" + id + ".scope", map[string]string{"io.max": "254:0 rbps=1 wbps=max riops=max wiops=9\n"}, "0 9", "1048576 50"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, tt.group)
			if err := os.MkdirAll(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			sh := func(command string) string {
				cmd := exec.CommandContext(t.Context(), "sh", "-c", shellGroup+command)
				cmd.Env = append(os.Environ(), "CGROUP="+root, "ID="+id, "DISK=254:0", "BYTES=1048576", "WRITES=50")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v: %s", command, err, out)
				}
				return strings.TrimSpace(string(out))
			}
			if is := sh("limits"); is != tt.before {
				t.Errorf("at first %q, want %q", is, tt.before)
			}
			sh("set_limits")
			if is := sh("limits"); is != tt.limit {
				t.Errorf("then %q, want %q", is, tt.limit)
			}
		})
	}
}

// TestShellGroupCannot tells a kernel that cannot from a container that is gone.
func TestShellGroupCannot(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "here"), 0o750); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]struct {
		code int
		said string
	}{
		"here": {cannot, "the kernel does not throttle the disks of control groups"},
		"gone": {1, "there is no control group of the container"},
	} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", shellGroup+"limits")
		cmd.Env = append(os.Environ(), "CGROUP="+root, "ID="+id, "DISK=254:0")
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != want.code || !strings.Contains(string(out), want.said) {
			t.Errorf("%s: %v: %s", id, err, out)
		}
	}
}
