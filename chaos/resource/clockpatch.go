package resource

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofload/proofload/sut"
)

// A process asks the kernel for the time through functions that the kernel maps
// into it, the vDSO. These lead elsewhere here, to functions behind their end
// that make the system call and add the offset to what it says. The first
// instruction of each function is replaced by a jump, and put back in the end;
// what stands behind the end stays, where nothing leads to it any more.

// jumpSize is how long a jump is, in bytes.
const jumpSize = 5

// A change is some bytes of the vDSO that become others.
type change struct {
	at       int // offset
	old, new []byte
	jump     bool // one that leads to what was added, and is put back
}

// A patch gives the functions of a vDSO an offset.
type patch []change

// String is the form in which a patch goes to the program that makes it and
// into the undo data.
func (p patch) String() string {
	var words []string
	for _, c := range p {
		kind := "add"
		if c.jump {
			kind = "jump"
		}
		words = append(words, fmt.Sprintf("%s:%d:%s:%s", kind, c.at, hex.EncodeToString(c.old), hex.EncodeToString(c.new)))
	}
	return strings.Join(words, " ")
}

// clockPatch makes the patch of a vDSO, as it lies in memory, by which clocks
// are off by so much. The error wraps [sut.ErrUnsupported] if it is one that
// this cannot patch.
func clockPatch(image []byte, by time.Duration) (patch, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, fmt.Errorf("read the vDSO: %w", err)
	}
	if f.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("the clock of a process on %s, other than %s: %w", f.Machine, elf.EM_X86_64, sut.ErrUnsupported)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, fmt.Errorf("read the functions of the vDSO: %w", err)
	}
	code, entries := offsetCode(by)
	at, err := place(image, code)
	if err != nil {
		return nil, err
	}
	p := patch{{at: at, old: slices.Clone(image[at : at+len(code)]), new: code}}
	for _, s := range symbols {
		entry, ok := entries[s.Name]
		if !ok {
			continue
		}
		from := int(s.Value) //nolint:gosec // was in memory
		if s.Size < jumpSize || from < 0 || from+jumpSize > at {
			return nil, fmt.Errorf("the vDSO has %s at %d with %d bytes: %w", s.Name, from, s.Size, sut.ErrUnsupported)
		}
		old := slices.Clone(image[from : from+jumpSize])
		jump := binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(at+entry-from-jumpSize)) //nolint:gosec // both are in one or two pages
		p = append(p, change{at: from, old: old, new: jump, jump: true})
	}
	if len(p) == 1 {
		return nil, errors.New("the vDSO has none of the functions that tell the time")
	}
	return p, nil
}

// place finds where the code can stand: where it does from a former time, else
// behind the end.
func place(image, code []byte) (int, error) {
	if i := bytes.Index(image, code[cells:]); i >= cells {
		return i - cells, nil
	}
	at := (len(bytes.TrimRight(image, "\x00")) + 16) &^ 15
	if at+len(code) > len(image) {
		return 0, fmt.Errorf("the vDSO has no room behind its end: %w", sut.ErrUnsupported)
	}
	return at, nil
}

// cells is the size of the numbers before the code: the offset in whole seconds
// and the rest of it in nanoseconds and in microseconds, and eight bytes that
// nobody reads.
const cells = 32

// offsetCode returns the functions that add an offset, and where each begins,
// by the name of the one that it stands for.
func offsetCode(by time.Duration) (code []byte, entries map[string]int) {
	seconds := by / time.Second
	rest := by % time.Second
	if rest < 0 {
		seconds, rest = seconds-1, rest+time.Second
	}
	for _, cell := range []int64{int64(seconds), rest.Nanoseconds(), rest.Microseconds(), 0} {
		code = binary.LittleEndian.AppendUint64(code, uint64(cell)) //nolint:gosec // two's complement
	}
	entries = map[string]int{}
	for _, f := range []struct{ name, code string }{
		{"__vdso_clock_gettime", clockGettimeCode},
		{"__vdso_gettimeofday", gettimeofdayCode},
		{"__vdso_time", timeCode},
	} {
		entries[f.name] = len(code)
		code = assemble(code, f.code)
	}
	return code, entries
}

// assemble appends code in hexadecimal. @N stands for the distance from the
// instruction that ends there to the cell at N.
func assemble(code []byte, text string) []byte {
	for word := range strings.FieldsSeq(text) {
		if cell, ok := strings.CutPrefix(word, "@"); ok {
			var n int
			_, _ = fmt.Sscan(cell, &n)                                           // written below
			code = binary.LittleEndian.AppendUint32(code, uint32(n-len(code)-4)) //nolint:gosec // two's complement
			continue
		}
		b, _ := hex.DecodeString(word) // written below
		code = append(code, b...)
	}
	return code
}

// The functions that add the offset, for x86-64. They change no register that
// a function must not.
const (
	// clockGettimeCode adds to CLOCK_REALTIME (0), CLOCK_REALTIME_COARSE (5) and
	// CLOCK_TAI (11), and leaves clocks alone that only measure how time passes.
	clockGettimeCode = `
b8 e4 00 00 00
0f 05
85 c0
75 3a
83 ff 0b
74 09
83 ff 05
74 04
85 ff
75 2c
48 8b 0d @0
48 01 0e
48 8b 0d @8
48 03 4e 08
48 81 f9 00 ca 9a 3b
7c 0a
48 81 e9 00 ca 9a 3b
48 ff 06
48 89 4e 08
c3`
	gettimeofdayCode = `
b8 60 00 00 00
0f 05
85 c0
75 31
48 85 ff
74 2c
48 8b 0d @0
48 01 0f
48 8b 0d @16
48 03 4f 08
48 81 f9 40 42 0f 00
7c 0a
48 81 e9 40 42 0f 00
48 ff 07
48 89 4f 08
c3`
	timeCode = `
b8 c9 00 00 00
0f 05
48 03 05 @0
48 85 ff
74 03
48 89 07
c3`
)
