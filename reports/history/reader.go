package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/klauspost/compress/zstd"
)

// ErrTorn is wrapped by the error that ends a history whose writer did not
// come to close it. All records before it are whole.
var ErrTorn = errors.New("history ends in the middle")

// maxLine bounds the memory that one line of a damaged file can take.
const maxLine = 16 << 20

// Read yields the events of a history in the order of the file. Operations are
// written when they complete, so times of different events may be slightly out
// of order.
//
// The event is only valid until the next one is yielded. An error is yielded
// once, with a nil event, and ends the sequence; it wraps [ErrTorn] if the
// history is cut off, as it is after a crash. Fields that this version does not
// know are ignored. Uncompressed histories are read as well.
func Read(r io.Reader) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		lines := in
		magic, err := in.Peek(4)
		switch {
		case len(magic) == 0 && errors.Is(err, io.EOF):
			yield(nil, fmt.Errorf("read history: nothing in it: %w", ErrTorn))
			return
		case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
			dec, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
			if err != nil {
				yield(nil, fmt.Errorf("read history: %w", err))
				return
			}
			defer dec.Close()
			lines = bufio.NewReaderSize(dec, 64<<10)
		}
		readLines(lines, yield)
	}
}

// Open opens a history file for reading; see [Read]. The events can be read
// once.
func Open(path string) (events iter.Seq2[*Event, error], closeFile func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open history: %w", err)
	}
	return Read(f), f.Close, nil
}

func readLines(in *bufio.Reader, yield func(*Event, error) bool) {
	d := decoder{words: map[string]string{}}
	var long []byte // of a line that does not fit into the buffer of in
	for n := 1; ; n++ {
		line, err := nextLine(in, &long)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && len(line) == 0:
			return
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			yield(nil, fmt.Errorf("read history line %d: %w", n, ErrTorn))
			return
		default:
			yield(nil, fmt.Errorf("read history line %d: %w", n, err))
			return
		}
		e, err := d.decode(line)
		if err != nil {
			yield(nil, fmt.Errorf("read history line %d: %w", n, err))
			return
		}
		if !yield(e, nil) {
			return
		}
	}
}

// nextLine returns the next line with its newline. The line is valid until the
// next call.
func nextLine(in *bufio.Reader, long *[]byte) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	*long = (*long)[:0]
	for errors.Is(err, bufio.ErrBufferFull) {
		*long = append(*long, line...)
		if len(*long) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		line, err = in.ReadSlice('\n')
	}
	*long = append(*long, line...)
	return *long, err
}
