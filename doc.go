// Package proofload is the module root. It holds no code: the command is in
// cmd/proofload, and arch_test.go beside this file keeps the dependency
// direction of the packages.
package proofload
