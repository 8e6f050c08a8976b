package engine

import "atomiccounter/engine/store"

// fieldsRecord meets a number of fields; that it is right is seen when the fields themselves come.
func (c *checker) fieldsRecord(key, value []byte) {
	c.recorded++
	n, err := fieldsValue(value)
	if err != nil || n <= 0 || len(key) < store.StateKeyHeader || !isUsers(string(key[1:])) {
		c.problem("record %q of a number of fields: %d, %v", key, n, err)
		return
	}
	name := string(append([]byte{key[1]}, key[store.StateKeyHeader:]...))
	if want := store.FieldsKey(nil, c.e.self.hash([]byte(name[1:])), name); string(want) != string(key) {
		c.problem("the number of fields of %q is stored under %x; it should be %x", name[1:], key, want)
	}
}

// field meets the state of a field; those of one hash come one after the other.
func (c *checker) field(key string, b books) {
	hash, ok := hashOf(key)
	if !ok || b.index != 0 {
		c.problem("key %q is no field", key[1:])
		return
	}
	if hash != c.hash {
		c.endHash()
		c.hash, c.size = hash, 0
	}
	c.size += change(false, b.exists)
}

// endHash compares what a hash has with the number that is stored, and counts its key.
func (c *checker) endHash() {
	if c.hash == "" || c.size == 0 {
		return
	}
	c.hashes++
	c.fields += c.size
	e, hash := c.e, c.e.self.hash([]byte(c.hash[1:]))
	e.counts.hashes.Store(true)
	if n, err := e.fieldsStored(hash, c.hash); err != nil || n != c.size {
		c.problem("hash %q has %d fields; the number stored is %d, %v", c.hash[1:], c.size, n, err)
	}
	self, err := c.store.booksBefore(hash, c.hash)
	if err != nil {
		c.problem("hash %q: %v", c.hash[1:], err)
	}
	existed, expired := self.shown(0)
	exists, expires := self.shown(c.size)
	c.count[database(c.hash)] += change(existed, exists)
	c.countEx[database(c.hash)] += change(expired, expires)
}
