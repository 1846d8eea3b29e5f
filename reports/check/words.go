package check

// words keep each of the few different strings of a history once, so that a
// record of a write needs four bytes for one. The zero value is ready; word 0
// is the empty string.
type words struct {
	index map[string]uint32
	list  []string
}

// number returns the number of a string.
func (w *words) number(s string) uint32 {
	if s == "" {
		return 0
	}
	if n, ok := w.index[s]; ok {
		return n
	}
	if w.index == nil {
		w.index, w.list = map[string]uint32{}, []string{""}
	}
	n := uint32(len(w.list)) //nolint:gosec // there are not so many
	w.index[s] = n
	w.list = append(w.list, s)
	return n
}

// of returns the string of a number.
func (w *words) of(n uint32) string {
	if n == 0 {
		return ""
	}
	return w.list[n]
}
