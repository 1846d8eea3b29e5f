package httpload

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// A written is a write that is to be looked up after the drill.
type written struct {
	step *step
	id   string
	key  string

	refused bool // it should not be there
}

// A spool keeps writes in a file, so that memory does not grow with their
// number. It has no name any more once it is open, so nothing is left of it
// however the process ends.
type spool struct {
	steps []*step
	file  *os.File
	out   *bufio.Writer
	count int
	buf   []byte
	err   error // the first one
}

// newSpool makes an empty spool of writes of steps, in a file in that
// directory; empty is the system's for temporary files.
func newSpool(dir string, steps []*step) *spool {
	s := &spool{steps: steps}
	if s.file, s.err = os.CreateTemp(dir, "writes-*"); s.err != nil {
		return s
	}
	s.out = bufio.NewWriter(s.file)
	s.err = os.Remove(s.file.Name())
	return s
}

// add appends a write.
func (s *spool) add(w written) {
	s.count++
	if s.err != nil {
		return
	}
	id := w.id
	if id == w.key { // most often
		id = ""
	}
	head := uint64(w.step.index) << 1 //nolint:gosec // from 0
	if w.refused {
		head |= 1
	}
	s.buf = binary.AppendUvarint(s.buf[:0], head)
	for _, text := range []string{id, w.key} {
		s.buf = append(binary.AppendUvarint(s.buf, uint64(len(text))), text...)
	}
	_, s.err = s.out.Write(s.buf)
}

// each calls do for every write, in their order. Nothing may be added any more.
func (s *spool) each(do func(written)) error {
	if s.err == nil {
		s.err = s.out.Flush()
	}
	if s.err != nil {
		return fmt.Errorf("keep writes to look up: %w", s.err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read writes to look up: %w", err)
	}
	in := bufio.NewReader(s.file)
	for range s.count {
		w, err := s.read(in)
		if err != nil {
			return fmt.Errorf("read writes to look up: %w", err)
		}
		do(w)
	}
	return nil
}

func (s *spool) read(in *bufio.Reader) (w written, err error) {
	head, err := binary.ReadUvarint(in)
	if err != nil {
		return w, err
	}
	step := head >> 1
	w.refused = head&1 != 0
	if step >= uint64(len(s.steps)) {
		return w, errors.New("a write of no request")
	}
	w.step = s.steps[step]
	for _, text := range []*string{&w.id, &w.key} {
		length, err := binary.ReadUvarint(in)
		if err != nil {
			return w, err
		}
		b := make([]byte, length)
		if _, err := io.ReadFull(in, b); err != nil {
			return w, err
		}
		*text = string(b)
	}
	if w.id == "" {
		w.id = w.key
	}
	return w, nil
}

// close frees the file.
func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close() // nobody will read it
	}
}
