package recordio_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/mezzo-cluster/mezzo/sdk/mesos/recordio"
)

const limit = 1 << 16

// countingWriter records every call of Write.
type countingWriter struct{ calls []string }

func (c *countingWriter) Write(p []byte) (int, error) {
	c.calls = append(c.calls, string(p))
	return len(p), nil
}

func TestWriterWritesARecordInOneCall(t *testing.T) {
	t.Parallel()
	var w countingWriter
	rw := recordio.NewWriter(&w)
	for _, body := range []string{`{"type":"HEARTBEAT"}`, "", strings.Repeat("x", 1<<20), "abc"} {
		if n, err := rw.Write([]byte(body)); err != nil || n != len(body) {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	want := []string{"20\n{\"type\":\"HEARTBEAT\"}", "0\n", "1048576\n" + strings.Repeat("x", 1<<20), "3\nabc"}
	if len(w.calls) != len(want) {
		t.Fatalf("%d calls of Write, want %d", len(w.calls), len(want))
	}
	for i := range want {
		if w.calls[i] != want[i] {
			t.Errorf("call %d: %.40q, want %.40q", i, w.calls[i], want[i])
		}
	}
}

type shortWriter struct{ n int }

func (s shortWriter) Write(p []byte) (int, error) { return min(s.n, len(p)), nil }

func TestWriterReportsFailures(t *testing.T) {
	t.Parallel()
	if n, err := recordio.NewWriter(shortWriter{4}).Write([]byte("abcdef")); n != 2 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("short write: %d, %v", n, err)
	}
	broken := iotest.ErrReader(io.ErrClosedPipe)
	if _, err := io.Copy(recordio.NewWriter(io.Discard), broken); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("copy: %v", err)
	}
}

func TestWriterIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	w := recordio.NewWriter(&buf)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := w.Write(bytes.Repeat([]byte{byte('a' + i)}, i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r := recordio.NewReader(&buf, limit)
	for range 400 {
		body, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if int(body[0]-'a')+1 != len(body) || strings.Trim(string(body), string(body[0])) != "" {
			t.Fatalf("records interleaved: %q", body)
		}
	}
}

func TestReaderRefusesMalformedInput(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   string
		want error
		text string
	}{
		"nothing":             {"", io.EOF, "EOF"},
		"end in length":       {"12", io.ErrUnexpectedEOF, "read record length"},
		"end in body":         {"5\nabc", io.ErrUnexpectedEOF, "read record body"},
		"end before body":     {"5\n", io.ErrUnexpectedEOF, "read record body"},
		"empty length":        {"\nabc", recordio.ErrMalformed, `'\n' where a decimal length`},
		"letters":             {"x5\nabc", recordio.ErrMalformed, "'x'"},
		"negative":            {"-5\nabc", recordio.ErrMalformed, "'-'"},
		"plus":                {"+5\nabc", recordio.ErrMalformed, "'+'"},
		"space":               {" 5\nabcde", recordio.ErrMalformed, "' '"},
		"carriage return":     {"3\r\nabc", recordio.ErrMalformed, `'\r'`},
		"above the bound":     {"65537\n", recordio.ErrTooLarge, "65537 bytes, at most 65536"},
		"length overflows":    {strings.Repeat("9", 19) + "\n", recordio.ErrMalformed, "18 digits"},
		"endless length":      {strings.Repeat("0", 1<<20), recordio.ErrMalformed, "18 digits"},
		"JSON without length": {`{"type":"HEARTBEAT"}`, recordio.ErrMalformed, "'{'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recordio.NewReader(strings.NewReader(tc.in), limit)
			_, err := r.Next()
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("error %v, want %v with %q", err, tc.want, tc.text)
			}
			if _, again := r.Next(); !errors.Is(again, tc.want) {
				t.Errorf("second call: %v", again)
			}
		})
	}
}

func TestReaderAllocatesForWhatArrives(t *testing.T) {
	t.Parallel()
	// No machine has the memory for what this record announces.
	r := recordio.NewReader(strings.NewReader("100000000000000\nabc"), 1<<48)
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
}

// chunked hands out its input in pieces of the given sizes, over and over.
type chunked struct {
	data  []byte
	sizes []int
	i     int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := min(c.sizes[c.i%len(c.sizes)], len(p), len(c.data))
	c.i++
	copy(p, c.data[:n])
	c.data = c.data[n:]
	return n, nil
}

func TestRecordsSurviveAnySplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bodies := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 6000)).Draw(t, "bodies")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 5000), 1, 8).Draw(t, "sizes")
		var stream []byte
		for _, b := range bodies {
			stream = recordio.Append(stream, b)
		}
		r := recordio.NewReader(&chunked{data: stream, sizes: sizes}, limit)
		for i, want := range bodies {
			got, err := r.Next()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("record %d: %q, %v", i, got, err)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("3\nabc0\n20\n{\"type\":\"HEARTBEAT\"}"), uint8(1))
	f.Add([]byte("5\nab"), uint8(3))
	f.Add([]byte("007\nabcdefg"), uint8(9))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		const bound = 512
		whole, wholeErr := readAll(recordio.NewReader(bytes.NewReader(in), bound))
		split, splitErr := readAll(recordio.NewReader(&chunked{data: in, sizes: []int{int(step)%17 + 1}}, bound))
		if wholeErr.Error() != splitErr.Error() || len(whole) != len(split) {
			t.Fatalf("whole: %d records, %v; split: %d records, %v", len(whole), wholeErr, len(split), splitErr)
		}
		var out []byte
		for i, b := range whole {
			if len(b) > bound || !bytes.Equal(b, split[i]) {
				t.Fatalf("record %d: %q and %q", i, b, split[i])
			}
			out = recordio.Append(out, b)
		}
		again, err := readAll(recordio.NewReader(bytes.NewReader(out), bound))
		if !errors.Is(err, io.EOF) || len(again) != len(whole) {
			t.Fatalf("own output does not read back: %v", err)
		}
	})
}

func readAll(r *recordio.Reader) ([][]byte, error) {
	var out [][]byte
	for {
		b, err := r.Next()
		if err != nil {
			return out, err
		}
		out = append(out, bytes.Clone(b))
	}
}
