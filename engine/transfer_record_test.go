package engine

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"atomiccounter/tlv"
)

func exampleTransfer() transfer {
	return transfer{
		Transfer: Transfer{Source: 2, Snapshot: "snap", Cursor: []byte{'s', 0, 1}, Keys: 300, Done: 5, Bytes: 70, Complete: true,
			Vector: tlv.Vector{{Replica: 1, Stamp: 0x10, Life: 7, Hash: 0x0123456789abcdef}}},
		Running: true, Marks: true,
	}
}

func TestTransferRecord(t *testing.T) {
	const want = "7333" + // S, 51 bytes
		"0200000000000000" + // source
		"310b" + // complete, running, marks
		"322c01" + "3105" + "3146" + // keys, done, bytes
		"6e04736e6170" + // N: name
		"6303730001" + // C: cursor
		"7615" + "0100000000000000" + "3110" + "3107" + "efcdab8967452301" + "30" // V: vector
	example := exampleTransfer()
	record := example.encode()
	if hex.EncodeToString(record) != want {
		t.Errorf("the record is %x; want %s", record, want)
	}
	var got transfer
	if err := got.decode(record); err != nil || !reflect.DeepEqual(got, example) {
		t.Errorf("decode = %v, %+v; want %+v", err, got, example)
	}
}

// A record that a store of format 4 has written is understood.
func TestTransferRecordOfFormat4(t *testing.T) {
	const record = `{"Source":2,"Snapshot":"snap","Cursor":"cwAB","Vector":[{"Replica":1,"Stamp":16,"Life":7,"Hash":81985529216486895,"End":0,"Of":0}],` +
		`"Keys":300,"Done":5,"Bytes":70,"Complete":true,"Running":true,"Succeeds":false,"Marks":true}`
	var got transfer
	if err := got.decode([]byte(record)); err != nil || !reflect.DeepEqual(got, exampleTransfer()) {
		t.Errorf("decode = %v, %+v; want %+v", err, got, exampleTransfer())
	}
}

// FuzzTransferRecord: what is accepted is written back alike.
func FuzzTransferRecord(f *testing.F) {
	example := exampleTransfer()
	f.Add(example.encode())
	f.Add((&transfer{}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		var got transfer
		if len(data) > 0 && data[0] == '{' || got.decode(data) != nil {
			return
		}
		if back := got.encode(); !bytes.Equal(back, data) {
			t.Errorf("decode(% x) = %+v, written back % x", data, got, back)
		}
	})
}
