package templates

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// segment is a piece of an outline's gzip: text that is deflated beforehand, for itself, and what follows it as it is.
type segment struct {
	text     []byte
	deflated []byte // ends with the header of a stored block but for its length
	from, to int    // the parts of the stored block
}

// The gzip header says: deflate, no time, compressed as well as possible, by nobody.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"

// syncTail is the length of the empty stored block that Flush ends with.
const syncTail = "\x00\x00\xff\xff"

// segment cuts an outline for compression. Text that is too short to become smaller stays as it is.
func (o *outline) cut() {
	at := segment{}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return // the level is known
	}
	for i, p := range o.parts {
		at.to = i
		if p.text == "" {
			continue
		}
		b.Reset()
		w.Reset(&b)
		w.Write([]byte(p.text)) //nolint:errcheck // a bytes.Buffer does not fail
		w.Flush()               //nolint:errcheck // likewise
		if b.Len() >= len(p.text) {
			continue
		}
		o.segments = append(o.segments, at)
		at = segment{text: []byte(p.text), deflated: bytes.TrimSuffix(bytes.Clone(b.Bytes()), []byte(syncTail)), from: i + 1}
	}
	at.to = len(o.parts)
	o.segments = append(o.segments, at)
}

// compressed appends the page with its values as gzip; false where a stored block would be too long.
func (o *outline) compressed(to []byte, own []string) ([]byte, bool) {
	o.pack.Do(o.cut)
	begin := len(to)
	to = append(to, gzipHeader...)
	var sum uint32
	size := 0
	for _, s := range o.segments {
		if s.deflated == nil {
			to = append(to, 0) // the header of a stored block
		} else {
			to = append(to, s.deflated...)
			sum = crc32.Update(sum, crc32.IEEETable, s.text)
			size += len(s.text)
		}
		to = append(to, syncTail...)
		block := len(to)
		for _, p := range o.parts[s.from:s.to] {
			to = p.append(to, own)
		}
		n := len(to) - block
		if n > math.MaxUint16 {
			return to[:begin], false
		}
		binary.LittleEndian.PutUint16(to[block-4:], uint16(n))
		binary.LittleEndian.PutUint16(to[block-2:], ^uint16(n))
		sum = crc32.Update(sum, crc32.IEEETable, to[block:])
		size += n
	}
	to = append(to, 3, 0) // the last block, empty
	to = binary.LittleEndian.AppendUint32(to, sum)
	return binary.LittleEndian.AppendUint32(to, uint32(size)), true //nolint:gosec // modulo 2^32, as gzip wants it
}
