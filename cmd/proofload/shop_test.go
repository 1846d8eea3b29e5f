package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// shop is a small system for scripts, with orders and a login, that knows
// nothing of proofload: shop [-lose N] [-stale] [-drift N] [-no-tokens] [-ca FILE]
// FILE writes its address to a file and serves until it is interrupted. With
// -lose every Nth order is acknowledged and forgotten; with -stale every fifth
// read shows what was there before; with -drift every Nth order is taken from
// the till and put nowhere. With -ca it speaks TLS and HTTP/2, and writes the
// authority of its certificate to a file.
func shop() int {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	lose := flags.Int64("lose", 0, "forget every so-many-th order")
	stale := flags.Bool("stale", false, "answer every fifth read with what was there before")
	drift := flags.Int64("drift", 0, "put the money of every so-many-th order nowhere")
	noTokens := flags.Bool("no-tokens", false, "log nobody in")
	ca := flags.String("ca", "", "speak TLS, and write the authority to this file")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	server := httptest.NewUnstartedServer(shopHandler(*lose, *drift, *stale, *noTokens))
	defer server.Close()
	var err error
	if *ca == "" {
		server.Start()
	} else {
		server.EnableHTTP2 = true
		server.StartTLS()
		err = os.WriteFile(*ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600)
	}
	if err = errors.Join(err, os.WriteFile(flags.Arg(0), []byte(server.URL), 0o600)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-ctx.Done()
	server.CloseClientConnections()
	return 0
}

func shopHandler(lose, drift int64, stale, noTokens bool) http.Handler {
	var made, logins, reads, lost atomic.Int64
	old := func() bool { return stale && reads.Add(1)%5 == 0 }
	var orders sync.Map
	mux := http.NewServeMux()
	loggedIn := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer token-") {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next(w, r)
		}
	}
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		if noTokens || r.FormValue("client_secret") != "s3cret-value" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprintf("token-%d", logins.Add(1)), "expires_in": 2})
	})
	mux.HandleFunc("POST /orders", loggedIn(func(w http.ResponseWriter, r *http.Request) {
		var order map[string]any
		if json.NewDecoder(r.Body).Decode(&order) != nil || order["sku"] == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		n := made.Add(1)
		order["id"] = fmt.Sprintf("o-%d", n)
		if lose == 0 || n%lose != 0 {
			orders.Store(order["id"], order)
		}
		if drift != 0 && n%drift == 0 {
			lost.Add(1)
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(order)
	}))
	mux.HandleFunc("GET /till", func(w http.ResponseWriter, _ *http.Request) {
		n := made.Load()
		if old() {
			n = n * 9 / 10
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"version": 1 + n, "balance": 1000 - n})
	})
	mux.HandleFunc("GET /accounts", func(w http.ResponseWriter, _ *http.Request) {
		n := made.Load()
		_ = json.NewEncoder(w).Encode([]map[string]int64{{"balance": 1000 - n}, {"balance": n - lost.Load()}})
	})
	mux.HandleFunc("GET /orders/{id}", loggedIn(func(w http.ResponseWriter, r *http.Request) {
		order, ok := orders.Load(r.PathValue("id"))
		if !ok || old() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(order)
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Protocol", r.Proto) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Node", "shop-1")
		mux.ServeHTTP(w, r)
	})
}

// readEnv sets a variable to what a file holds, once it is there: readenv NAME
// FILE.
func readEnv(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: readenv NAME FILE")
	}
	waitFor(ts, false, []string{args[1], "."})
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}
