"""redis-py: python3 redis_py.py HOST PORT."""

import asyncio

import redis
import redis.asyncio

from check import HOST, PORT, check, equal, eventually, finish, restart, workers

client = redis.Redis(HOST, PORT)


@check("connects with its defaults")
def _():
    assert client.ping()
    named = redis.Redis(HOST, PORT, db=3, client_name="suite", decode_responses=True, health_check_interval=1)
    equal(named.client_getname(), "suite")
    equal(named.incr("elsewhere"), 1)
    equal(client.exists("elsewhere"), 0)
    assert client.info()["loading"] == 0


@check("counts")
def _():
    equal(client.incr("n"), 1)
    equal(client.incrby("n", 41), 42)
    equal(client.decr("n"), 41)
    equal(client.decrby("n", 42), -1)
    equal(client.get("n"), b"-1")
    equal(client.getdel("n"), b"-1")
    equal(client.get("n"), None)


@check("sets, and reads many")
def _():
    equal(client.set("a", 5), True)
    equal(client.set("a", 6, nx=True), None)
    equal(client.set("a", 6, get=True), b"5")
    equal(client.mset({"b": 7, "c": b"\x00\xff\r\n"}), True)
    equal(client.mget("a", "b", "none", "c"), [b"6", b"7", None, b"\x00\xff\r\n"])
    equal(client.incrbyfloat("f", 1.5), 1.5)
    equal(client.append("text", "abc"), 3)
    try:
        client.incr("text")
    except redis.ResponseError as err:
        equal(str(err), "value is not an integer or out of range")
    else:
        raise AssertionError("a text was counted")


@check("expires")
def _():
    equal(client.set("e", 1, ex=100), True)
    equal(client.incr("e"), 2)
    assert 90 < client.ttl("e") <= 100
    equal(client.persist("e"), True)
    equal(client.ttl("e"), -1)
    equal(client.pexpire("e", 1), True)
    eventually(lambda: equal(client.exists("e"), 0))


@check("pipelines")
def _():
    with client.pipeline(transaction=False) as p:
        for _ in range(1000):
            p.incr("p")
        p.get("p")
        replies = p.execute()
    equal(replies, [*range(1, 1001), b"1000"])


@check("scans")
def _():
    client.mset({f"scan:{i}": i for i in range(300)})
    equal(len(set(client.scan_iter("scan:*", count=50))), 300)


@check("transacts")
def _():
    with client.pipeline() as p:
        equal(p.set("t", 1).incr("t").expire("t", 100).get("t").execute(), [True, 2, True, b"2"])
    calls = []

    def double(p):
        before = int(p.get("t"))
        if not calls:
            client.incr("t")  # somebody else's: the transaction has to be tried again
        calls.append(before)
        p.multi()
        p.set("t", 2 * before)

    equal(client.transaction(double, "t"), [True])
    equal(calls, [2, 3])
    equal(client.get("t"), b"6")


@check("runs scripts")
def _():
    add = client.register_script("return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('PTTL', KEYS[1])}")
    equal(add(keys=["s"], args=[5]), [5, -1])
    client.script_flush()
    equal(add(keys=["s"], args=[5]), [10, -1])
    equal(client.script_exists(add.sha), [True])
    equal(client.eval("return ARGV[1]", 0, "x"), b"x")


@check("locks")
def _():
    lock = client.lock("lock", timeout=100)
    assert lock.acquire()
    assert not client.lock("lock", timeout=100).acquire(blocking=False)
    lock.extend(10)
    lock.release()
    equal(client.exists("lock"), 0)


@check("counts in hashes")
def _():
    equal(client.hincrby("h", "a", 3), 3)
    equal(client.hset("h", mapping={"b": 4, "c": "text"}), 2)
    equal(client.hgetall("h"), {b"a": b"3", b"b": b"4", b"c": b"text"})
    equal(client.hmget("h", "a", "none"), [b"3", None])
    equal(client.hdel("h", "a", "b"), 2)
    equal(client.hlen("h"), 1)


@check("publishes and subscribes")
def _():
    with client.pubsub() as listener:
        listener.subscribe("news")
        listener.psubscribe("new?")
        equal([listener.get_message(timeout=30)["type"] for _ in range(2)], ["subscribe", "psubscribe"])
        equal(client.publish("news", "hello"), 2)
        heard = [listener.get_message(timeout=30) for _ in range(2)]
        equal([(m["type"], m["channel"], m["data"]) for m in heard], [("message", b"news", b"hello"), ("pmessage", b"news", b"hello")])


@check("counts with asyncio")
def _():
    async def count():
        c = redis.asyncio.Redis(host=HOST, port=PORT)
        await asyncio.gather(*(c.incr("async") for _ in range(100)))
        n = await c.get("async")
        await c.close()
        return n

    equal(asyncio.run(count()), b"100")


@check("counts exactly from eight connections")
def _():
    def count():
        c = redis.Redis(HOST, PORT)
        for _ in range(250):
            c.incr("all")

    workers(count)
    equal(client.get("all"), b"2000")


@check("connects again after a crash")
def _():
    client.set("before", 7)
    restart()
    equal(eventually(lambda: client.incr("before")), 8)
    equal(client.get("all"), b"2000")


finish()
