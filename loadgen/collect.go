package loadgen

import "runtime"

// Ballast is how many bytes [CollectSeldom] sets aside. They count against a
// memory limit of the runtime, but nothing is written there, so the kernel
// gives no memory for them.
const Ballast = 64 << 20

// CollectSeldom has the garbage of this process collected seldom, until end is
// called. A collection makes sends late by some milliseconds, and the live heap
// of an engine is so small that it would be due several times a second. With
// the ballast in it the heap grows to about 75 MB first. A percentage that does
// the same would let the heap of an engine with many operations in flight grow
// to as many times what lives.
func CollectSeldom() (end func()) {
	ballast := make([]byte, Ballast)
	return func() { runtime.KeepAlive(ballast) }
}
