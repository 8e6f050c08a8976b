// node-redis 4 and later: node noderedis.mjs HOST PORT PACKAGE, where the package is one of the majors of package.json.
import assert from 'node:assert/strict';
import { args, check, countsOverCrashes, eventually, finish, restart, server, workers } from './check.mjs';

const { BasicClientSideCache, createClient, WatchError } = await import(args[0]);
const connections = [];
const connect = async (options) => {
  const c = createClient({ socket: server, ...options });
  c.on('error', () => {}); // what matters comes back from the commands
  await c.connect();
  connections.push(c);
  return c;
};
const redis = await connect();

await check('connects with its defaults', async () => {
  assert.equal(await redis.ping(), 'PONG');
  const named = await connect({ database: 3, name: 'suite' });
  assert.equal(await named.clientGetName(), 'suite');
  assert.equal(await named.incr('elsewhere'), 1);
  assert.equal(await redis.exists('elsewhere'), 0);
});

await check('counts', async () => {
  assert.equal(await redis.incr('n'), 1);
  assert.equal(await redis.incrBy('n', 41), 42);
  assert.equal(await redis.decr('n'), 41);
  assert.equal(await redis.decrBy('n', 42), -1);
  assert.equal(await redis.get('n'), '-1');
  assert.equal(await redis.getDel('n'), '-1');
  assert.equal(await redis.get('n'), null);
});

await check('sets, and reads many', async () => {
  assert.equal(await redis.set('a', 5), 'OK');
  assert.equal(await redis.set('a', 6, { NX: true }), null);
  assert.equal(await redis.mSet({ b: '7', c: 'text' }), 'OK');
  assert.deepEqual(await redis.mGet(['a', 'b', 'none', 'c']), ['5', '7', null, 'text']);
  await assert.rejects(redis.incr('c'), { message: 'ERR value is not an integer or out of range' });
  assert.equal(await redis.incrByFloat('f', 1.5), '1.5');
  assert.equal(await redis.append('c', 'ual'), 7);
});

await check('expires', async () => {
  assert.equal(await redis.set('e', 1, { EX: 100 }), 'OK');
  assert.equal(await redis.incr('e'), 2);
  const ttl = await redis.ttl('e');
  assert.ok(ttl > 90 && ttl <= 100, `TTL ${ttl}`);
  assert.equal(Number(await redis.persist('e')), 1); // 4 says true
  assert.equal(await redis.ttl('e'), -1);
  assert.equal(Number(await redis.pExpire('e', 1)), 1);
  await eventually(async () => assert.equal(await redis.exists('e'), 0));
});

await check('pipelines what is sent at once', async () => {
  await Promise.all(Array.from({ length: 1000 }, () => redis.incr('auto')));
  assert.equal(await redis.get('auto'), '1000');
  assert.deepEqual(await redis.multi().incrBy('p', 2).get('p').execAsPipeline(), [2, '2']);
});

await check('scans', async () => {
  await redis.mSet(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`scan:${i}`, `${i}`])));
  const found = new Set();
  for await (const keys of redis.scanIterator({ MATCH: 'scan:*', COUNT: 50 })) for (const k of [keys].flat()) found.add(k); // 4 gives single keys
  assert.equal(found.size, 300);
});

await check('transacts', async () => {
  assert.deepEqual(await redis.multi().set('t', 1).incr('t').get('t').exec(), ['OK', 2, '2']);
  const watching = await connect();
  await watching.watch('t');
  await redis.incr('t');
  await assert.rejects(watching.multi().set('t', '0').exec(), WatchError);
  assert.equal(await redis.get('t'), '3');
});

await check('runs scripts', async () => {
  const add = "return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('PTTL', KEYS[1])}";
  const call = { keys: ['s'], arguments: ['5'] };
  assert.deepEqual(await redis.eval(add, call), [5, -1]);
  const sha = await redis.scriptLoad(add);
  assert.deepEqual(await redis.evalSha(sha, call), [10, -1]);
  await redis.scriptFlush();
  await assert.rejects(redis.evalSha(sha, call), /NOSCRIPT/);
});

await check('counts in hashes', async () => {
  assert.equal(await redis.hIncrBy('h', 'a', 3), 3);
  assert.equal(await redis.hSet('h', { b: 4, c: 'text' }), 2);
  assert.deepEqual({ ...(await redis.hGetAll('h')) }, { a: '3', b: '4', c: 'text' });
  assert.deepEqual(await redis.hmGet('h', ['a', 'none']), ['3', null]);
  assert.equal(await redis.hDel('h', ['a', 'b']), 2);
  assert.equal(await redis.hLen('h'), 1);
});

await check('publishes and subscribes', async () => {
  const listener = await connect();
  const heard = {};
  const done = new Promise((resolve) => {
    const hear = (kind) => (message, channel) => {
      heard[kind] = [channel, message];
      if (Object.keys(heard).length === 2) resolve();
    };
    heard.subscribed = Promise.all([listener.subscribe('news', hear('exact')), listener.pSubscribe('new?', hear('pattern'))]);
  });
  await heard.subscribed;
  delete heard.subscribed;
  assert.equal(await redis.publish('news', 'hello'), 2);
  await done;
  assert.deepEqual(heard, { exact: ['news', 'hello'], pattern: ['news', 'hello'] });
  await listener.unsubscribe('news');
  await listener.pUnsubscribe('new?');
  assert.equal(`${await listener.ping()}`, 'PONG'); // 5 gives bytes
});

if (BasicClientSideCache) // 4 has none
  await check('has a cache that is true', async () => {
    const clientSideCache = new BasicClientSideCache({ ttl: 0, maxEntries: 100 });
    const caching = await connect({ RESP: 3, clientSideCache });
    await redis.set('cached', 1);
    assert.equal(await caching.get('cached'), '1');
    assert.equal(await caching.get('cached'), '1');
    assert.equal(clientSideCache.stats().hitCount, 1);
    await redis.incr('cached');
    await eventually(async () => assert.equal(await caching.get('cached'), '2'));
    await redis.pExpire('cached', 50);
    await eventually(async () => assert.equal(await caching.get('cached'), null));
  });

await check('counts exactly from eight connections', async () => {
  await workers(async () => {
    const c = await connect();
    for (let i = 0; i < 250; i++) await c.incr('all');
  });
  assert.equal(await redis.get('all'), '2000');
});

await check('connects again after a crash', async () => {
  await redis.set('before', 7);
  await restart();
  assert.equal(await eventually(() => redis.incr('before')), 8);
  assert.equal(await redis.get('all'), '2000');
});

await check('counts over five crashes', () =>
  countsOverCrashes(() => redis.incr('crashes'), async () => Number(await redis.get('crashes')), false));

finish();
