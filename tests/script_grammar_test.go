package tests

import (
	"crypto/sha1"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// anyCall runs whatever command its arguments are, and shows its reply in several ways.
var anyCall = []string{
	"return redis.call(unpack(ARGV))",
	"return redis.pcall(unpack(ARGV))",
	"local r = redis.pcall(unpack(ARGV)) return {type(r), r}",
	"redis.setresp(3) return redis.call(unpack(ARGV))",
	"local ok, e = pcall(redis.call, unpack(ARGV)) return {tostring(ok), e}",
	"redis.call('incr', 'a') return redis.call(unpack(ARGV))",
}

// onNumbers compute with what two arguments are, or fail.
var onNumbers = []string{
	"return tonumber(ARGV[1])",
	"return tostring(tonumber(ARGV[1])) .. '|' .. tostring(tonumber(ARGV[2]))",
	"return ARGV[1] + ARGV[2]",
	"return tostring(ARGV[1] * ARGV[2]) .. ' ' .. tostring(ARGV[1] - ARGV[2]) .. ' ' .. -ARGV[2]",
	"return {tonumber(ARGV[1]), {double = tonumber(ARGV[2])}}",
	"redis.setresp(3) return {double = tonumber(ARGV[1])}",
	"return string.format('%d %g %.3f %x %5d|%-5d|%s', ARGV[1], ARGV[1], ARGV[2], ARGV[1] % 65536, ARGV[2] % 1000, ARGV[2] % 7, ARGV[1])",
	"return cjson.encode({tonumber(ARGV[1]), ARGV[2], {x = tonumber(ARGV[2])}})",
	"return cjson.encode(cjson.decode(ARGV[1]))",
	"return cjson.encode(cjson.decode('[\"' .. ARGV[1] .. '\",' .. ARGV[2] .. ']'))",
	"return {cmsgpack.unpack(cmsgpack.pack(tonumber(ARGV[1]), ARGV[2], {ARGV[1]}))}",
	"return cmsgpack.pack(tonumber(ARGV[1]), tonumber(ARGV[2]))",
	"return {cmsgpack.unpack(ARGV[1])}",
	"return {bit.tobit(ARGV[1]), bit.bxor(ARGV[1], ARGV[2]), bit.tohex(ARGV[1]), bit.rol(ARGV[1], ARGV[2])}",
	"return {math.floor(ARGV[1]), math.ceil(ARGV[2]), math.max(ARGV[1], ARGV[2]), math.fmod(ARGV[1], 7)}",
	"return redis.call('set', KEYS[1], tonumber(ARGV[1]))",
	"return {string.sub(ARGV[1], tonumber(ARGV[2])), string.rep(ARGV[1], 2), string.reverse(ARGV[2]), #ARGV[1]}",
	"return {string.find(ARGV[1], ARGV[2], 1, true), ARGV[1]:upper(), ARGV[2]:lower(), string.byte(ARGV[1], 1, 5)}",
	"return {string.gsub(ARGV[1], '%d', function(d) return d + 1 end), string.match(ARGV[1], '^(%-?)(%d+)(.*)$')}",
	"return struct.pack('>I4dbs', ARGV[1] % 2^32, ARGV[2], 1, ARGV[1])",
	"return ARGV[1] == ARGV[2] and 1 or ARGV[1] < ARGV[2]",
	"if tonumber(ARGV[1]) then return redis.status_reply(ARGV[1]) else return redis.error_reply(ARGV[1]) end",
	"return {err = ARGV[1]}",
	"error(ARGV[1])",
	"return redis.sha1hex(ARGV[1] .. ARGV[2])",
}

// limiters are in the style of libraries: a key, a limit, a window in ms.
var limiters = []string{
	"local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end if n > tonumber(ARGV[1]) then return 0 end return 1",
	"redis.call('set', KEYS[1], 0, 'PX', ARGV[2], 'NX') local c = redis.call('incrby', KEYS[1], ARGV[1]) return {c, redis.call('pttl', KEYS[1]) > 0}",
	"local c = redis.call('GET', KEYS[1]) if c and tonumber(c) >= tonumber(ARGV[1]) then return {false, c} end c = redis.call('INCR', KEYS[1]) return {true, c}",
	"if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
	"if redis.call('exists', KEYS[1]) == 0 then return redis.error_reply('NOKEY no such counter') end return redis.call('decrby', KEYS[1], ARGV[1])",
	"local t = tonumber(redis.call('get', KEYS[1]) or '0') local rate, burst = ARGV[1] / 60, tonumber(ARGV[2]) local tokens = math.min(burst, t + rate * 1.5) redis.call('set', KEYS[1], tokens, 'EX', 1000) return {tostring(tokens), math.floor(tokens)}",
	"local v = redis.call('mget', KEYS[1], 'b') local s = 0 for i = 1, 2 do s = s + (tonumber(v[i] or 0) or 0) end return tostring(s)",
}

// script makes a call of a script, or of what concerns scripts.
func (g generator) script() []string {
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return g.inScript()
	case 4, 5, 6:
		return g.eval(g.pick(onNumbers...), g.key(), g.scalar(), g.scalar())
	case 7, 8, 9:
		return g.eval(g.pick(limiters...), g.key(), strconv.Itoa(1+g.IntN(20)), g.milliseconds())
	case 10:
		return g.oneLine("SCRIPT EXISTS x", "SCRIPT EXISTS "+shaOf(limiters[0])+" x", "SCRIPT FLUSH", "SCRIPT FLUSH ASYNC", "SCRIPT FLUSH x",
			"SCRIPT KILL", "SCRIPT", "SCRIPT NOTHING", "SCRIPT LOAD", "SCRIPT LOAD return", "SCRIPT LOAD 5")
	default:
		return []string{"SCRIPT", "LOAD", g.pick(limiters...)}
	}
}

func (g generator) scalar() string {
	switch g.IntN(4) {
	case 0:
		return g.float()
	case 1:
		return g.noInteger()
	case 2:
		return g.pick(`{"a":[1,2.5,"x",null,true]}`, `[]`, `"\u00e9\n"`, `[1,`, "\x93\x01\x02\xa1x", "\x81\xa1a\xc0", "abc", "a b\x00c", "%d+")
	}
	return g.integer()
}

// eval makes a call with one key, by the text or by its SHA-1.
func (g generator) eval(body, key string, args ...string) []string {
	name := g.pick("EVAL", "EVAL", "EVAL", "EVAL_RO")
	if g.IntN(3) == 0 {
		name, body = g.pick("EVALSHA", "EVALSHA_RO"), shaOf(body)
	}
	return append([]string{name, body, "1", key}, args...)
}

// inScript runs another command of the grammar in a script.
func (g generator) inScript() []string {
	for {
		args := g.command()
		if scriptable(args) {
			return append([]string{g.pick("EVAL", "EVAL", "EVAL_RO"), g.pick(anyCall...), "0"}, args...)
		}
	}
}

// scriptable commands can be compared by what a script makes of their replies.
func scriptable(args []string) bool {
	_, inexact := formOf(args)
	return !inexact && queueable(args) && !oneOf(args[0], "eval", "evalsha", "eval_ro", "evalsha_ro")
}

// misled says whether a call that was changed has a script run what is not scriptable.
func misled(args []string) bool {
	return len(args) > 3 && oneOf(args[0], "eval", "eval_ro") && slices.Contains(anyCall, args[1]) && !scriptable(args[3:])
}

func shaOf(body string) string {
	sum := sha1.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

var named = regexp.MustCompile(`(attempt to .*?)(local|upvalue|global|field|method) '[^']*' \((a \w+ value)\)`)

// nameless takes the variable out of an error of one of Lua's operators, and of a syntax error all but the frame: the
// interpreters' own words differ.
func nameless(line string) string {
	const frame = "-ERR Error compiling script (new function): user_script:"
	if strings.HasPrefix(line, frame) {
		return frame
	}
	return named.ReplaceAllString(line, "$1$3")
}
