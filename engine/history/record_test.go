package history

import (
	"bytes"
	"encoding/hex"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"atomiccounter/tlv"
)

// example is the history of the package comment.
func example() *History {
	return &History{
		former: []tlv.ReplicaID{1},
		lives:  []Life{{10, 0x100}, {11, 0}},
		given:  []Branch{{Replica: 1, Lives: []uint64{9}, Last: 0x1234, Other: 0x1100, Parted: true, Since: 0x1000}},
	}
}

// TestWorkedExample: the bytes of the package comment are what is written, and read.
func TestWorkedExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	must(t, err)
	var digits strings.Builder
	for _, line := range regexp.MustCompile(`(?m)^//\t((?:[0-9a-f]{2} +)+)#`).FindAllStringSubmatch(string(doc), -1) {
		digits.WriteString(strings.ReplaceAll(line[1], " ", ""))
	}
	want, err := hex.DecodeString(digits.String())
	must(t, err)
	if got := example().encode(); !bytes.Equal(got, want) {
		t.Errorf("the record is\n% x, and the package comment has\n% x", got, want)
	}
	var back History
	if err := back.restore(want); err != nil || !reflect.DeepEqual(&back, example()) {
		t.Errorf("restore = %v, %+v; want %+v", err, &back, example())
	}
}

// TestRecordOfFormat4: a record that a store of format 4 has written is understood.
func TestRecordOfFormat4(t *testing.T) {
	const record = `{"Former":[17593000000000000001,2],"Lives":[{"Number":9223372036854775809,"End":1866000000000000},{"Number":7,"End":0}],` +
		`"Given":[{"Replica":2,"Lives":[5,6],"Last":40,"Other":30},{"Replica":3,"Lives":null,"Last":60,"Other":50,"Parted":true,"Since":45}],"Voids":[99]}`
	want := &History{
		former: []tlv.ReplicaID{17593000000000000001, 2},
		lives:  []Life{{1<<63 + 1, 1866000000000000}, {7, 0}},
		given: []Branch{
			{Replica: 2, Lives: []uint64{5, 6}, Last: 40, Other: 30},
			{Replica: 3, Last: 60, Other: 50, Parted: true, Since: 45},
		},
		voids: []tlv.ReplicaID{99},
	}
	var got, again History
	if err := got.restore([]byte(record)); err != nil || !reflect.DeepEqual(&got, want) {
		t.Fatalf("restore = %v, %+v; want %+v", err, &got, want)
	}
	if err := again.restore(got.encode()); err != nil || !reflect.DeepEqual(&again, want) {
		t.Errorf("written anew and read: %v, %+v; want %+v", err, &again, want)
	}
	var young History
	if err := young.restore([]byte(`{"Former":null,"Lives":[{"Number":7,"End":0}]}`)); err != nil || len(young.lives) != 1 {
		t.Errorf("restore of a young store's = %v, %+v", err, &young)
	}
}

// FuzzRecord: what is accepted is written back alike.
func FuzzRecord(f *testing.F) {
	f.Add(example().encode())
	f.Add(new(History).encode())
	f.Add((&History{given: []Branch{{Replica: 4, Last: 5}}, voids: []tlv.ReplicaID{6, 7}}).encode())
	f.Add([]byte(`{"Former":[1],"Lives":[{"Number":7,"End":0}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var h History
		if len(data) == 0 || data[0] == '{' || h.restore(data) != nil {
			return
		}
		if back := h.encode(); !bytes.Equal(back, data) {
			t.Errorf("restore(% x) = %+v, written back % x", data, &h, back)
		}
	})
}
