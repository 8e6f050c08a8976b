package tlv

// A key of the engine begins with a byte: the space in its upper four bits, the database in its lower four. Names of users
// are in space 0: what follows is the name. Fields of hashes are in space 1: what follows is the length of the hash's
// name as a tiny zipped integer, that name, and the field. Tokens of increments are in space 2: they are named as a field is,
// with the key in place of the hash.
const (
	FieldSpace = 1
	TokenSpace = 2
	spaces     = 3
	spaceShift = 4
	databases  = 1 << spaceShift
)

// Database is that of a key.
func Database(key byte) byte { return key & (databases - 1) }

// Space is what the key names: 0 a key of a user, FieldSpace a field, TokenSpace a token.
func Space(key byte) byte { return key >> spaceShift }

// FieldByte begins the keys of fields of a database.
func FieldByte(database byte) byte { return FieldSpace<<spaceShift | database }

// TokenByte begins the keys of tokens of a database.
func TokenByte(database byte) byte { return TokenSpace<<spaceShift | database }

// AppendFieldName appends the key of a field without its first byte; with an empty field, what the keys of all fields of
// the hash begin with.
func AppendFieldName(buf, hash, field []byte) []byte {
	buf = AppendTinyZip(buf, uint64(len(hash)))
	buf = append(buf, hash...)
	return append(buf, field...)
}

// SplitFieldName takes the key of a field without its first byte apart. False: no field is named so.
func SplitFieldName(name []byte) (hash, field []byte, ok bool) {
	n, rest, err := TakeZip(name)
	if err != nil || n > uint64(len(rest)) || len(name)-len(rest) != 1+ZipLen(n) || name[0] != '0'+byte(ZipLen(n)) {
		return nil, nil, false
	}
	return rest[:n], rest[n:], true
}

// ValidateKey says what of a key no replica can have written.
func ValidateKey(key []byte) error {
	switch {
	case len(key) == 0 || len(key) > MaxKey:
		return malformed("key of %d bytes", len(key))
	case Space(key[0]) >= spaces:
		return malformed("key of space %d", Space(key[0]))
	case Space(key[0]) != 0:
		if _, _, ok := SplitFieldName(key[1:]); !ok {
			return malformed("key of space %d without the name it belongs to", Space(key[0]))
		}
	}
	return nil
}

// validateField says what the state of a field cannot have: a field lives as long as its hash, and has no expiry of its own.
func (s *State) validateField() error {
	for i := range s.Contributions {
		if s.Contributions[i].Expiry.Stamp != 0 {
			return malformed("expiry of a field")
		}
	}
	return nil
}
