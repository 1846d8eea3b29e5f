package main

import (
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// examineKernel looks at what containers and faults need of the kernel; root is
// its file system.
func examineKernel(root fs.FS) finding {
	f := finding{about: "kernel", saw: runtime.GOOS}
	if release, err := fs.ReadFile(root, "proc/sys/kernel/osrelease"); err == nil {
		f.saw += " " + strings.TrimSpace(string(release))
	}
	var lacks []string
	for _, need := range []struct{ file, has, what string }{
		{"proc/filesystems", "cgroup", "cgroups (pausing and limiting nodes)"},
		{"proc/filesystems", "overlay", "overlayfs (containers)"},
		{"proc/self/ns/net", "", "network namespaces (partitions)"},
	} {
		if need.has == "" {
			if _, err := fs.Stat(root, need.file); err != nil && runtime.GOOS == "linux" {
				lacks = append(lacks, need.what)
			}
			continue
		}
		text, err := fs.ReadFile(root, need.file)
		if err == nil && !strings.Contains(string(text), need.has) {
			lacks = append(lacks, need.what)
		}
	}
	wanted := map[string][]string{} // verbs by option
	for _, verb := range catalog().Names() {
		if option := catalog()[verb].Kernel; option != "" {
			wanted[option] = append(wanted[option], verb)
		}
	}
	for _, option := range slices.Sorted(maps.Keys(wanted)) {
		if kernelLacks(root, option) {
			lacks = append(lacks, option+" ("+strings.Join(wanted[option], ", ")+")")
		}
	}
	if len(lacks) > 0 {
		f.saw += ": without " + strings.Join(lacks, ", ")
		f.mend, f.warn = "load the modules, or take a kernel that has them, unless the engine runs in a virtual machine of its own", true
	}
	return f
}
