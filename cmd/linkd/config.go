package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// A config is what the configuration file says.
type config struct {
	Seed  uint64       `json:"seed"` // of the jitter; the same seed gives every connection the same delays again
	Links []linkConfig `json:"links"`
}

// A linkConfig is one entry of the configuration file.
type linkConfig struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`   // HOST:PORT, HOST may be empty
	Upstream string `json:"upstream"` // HOST:PORT, resolved anew for each connection
}

// readConfig reads and checks a configuration file. Errors name the file and
// the entry, and all wrong entries are reported at once.
func readConfig(file string) (config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return config{}, fmt.Errorf("read configuration: %w", err)
	}
	cfg, err := parseConfig(data)
	if err != nil {
		return config{}, fmt.Errorf("%s: %w", file, err)
	}
	return cfg, nil
}

func parseConfig(data []byte) (config, error) {
	var cfg config
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&cfg); err != nil {
		line := 1 + bytes.Count(data[:min(dec.InputOffset(), int64(len(data)))], []byte("\n"))
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line = 1 + bytes.Count(data[:min(syntax.Offset, int64(len(data)))], []byte("\n"))
		}
		return config{}, fmt.Errorf("line %d: %w", line, err)
	}
	if len(cfg.Links) == 0 {
		return config{}, errors.New(`no links: want {"links": [{"name": ..., "listen": ..., "upstream": ...}]}`)
	}
	var errs []error
	names, ports := map[string]int{}, map[string]int{}
	for i, l := range cfg.Links {
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("links[%d] %q: "+format, append([]any{i, l.Name}, args...)...))
		}
		if l.Name == "" {
			fail("name is missing")
		} else if first, ok := names[l.Name]; ok {
			fail("links[%d] has the same name", first)
		}
		names[l.Name] = i
		if err := checkAddress(l.Listen, false); err != nil {
			fail("listen %q: %w", l.Listen, err)
		} else if first, ok := ports[l.Listen]; ok && !anyPort(l.Listen) {
			fail("links[%d] listens on %s too", first, l.Listen)
		}
		ports[l.Listen] = i
		if err := checkAddress(l.Upstream, true); err != nil {
			fail("upstream %q: %w", l.Upstream, err)
		}
	}
	return cfg, errors.Join(errs...)
}

// checkAddress reports what is wrong with an address. Only a listener may
// leave the host out or use port 0, which takes any free port.
func checkAddress(addr string, remote bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("want HOST:PORT")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return fmt.Errorf("port %q is not a number from 0 to 65535", port)
	case remote && host == "":
		return errors.New("host is missing")
	case remote && n == 0:
		return errors.New("port is 0")
	}
	return nil
}

func anyPort(addr string) bool {
	_, port, _ := net.SplitHostPort(addr)
	return port == "0"
}
