// ioredis: node ioredis.mjs HOST PORT PACKAGE, where the package is one of the majors of package.json.
import assert from 'node:assert/strict';
import { args, check, countsOverCrashes, eventually, finish, restart, server, workers } from './check.mjs';

const { default: Redis } = await import(args[0]);
const connections = [];
const connect = (options) => {
  const c = new Redis({ ...server, ...options });
  c.on('error', () => {}); // what matters comes back from the commands
  connections.push(c);
  return c;
};
const redis = connect();

await check('connects with its defaults', async () => {
  assert.equal(await redis.ping(), 'PONG');
  const named = connect({ db: 3, connectionName: 'suite' });
  assert.equal(await named.client('GETNAME'), 'suite');
  assert.equal(await named.incr('elsewhere'), 1);
  assert.equal(await redis.exists('elsewhere'), 0);
});

await check('counts', async () => {
  assert.equal(await redis.incr('n'), 1);
  assert.equal(await redis.incrby('n', 41), 42);
  assert.equal(await redis.decr('n'), 41);
  assert.equal(await redis.decrby('n', 42), -1);
  assert.equal(await redis.get('n'), '-1');
  assert.equal(await redis.getdel('n').catch(() => redis.call('getdel', 'n')), '-1');
  assert.equal(await redis.get('n'), null);
});

await check('sets, and reads many', async () => {
  assert.equal(await redis.set('a', 5), 'OK');
  assert.equal(await redis.set('a', 6, 'NX'), null);
  assert.equal(await redis.mset({ b: 7, c: 'text' }), 'OK');
  assert.deepEqual(await redis.mget('a', 'b', 'none', 'c'), ['5', '7', null, 'text']);
  await assert.rejects(redis.incr('c'), { message: 'ERR value is not an integer or out of range' });
  assert.equal(await redis.incrbyfloat('f', 1.5), '1.5');
  assert.equal(await redis.append('c', 'ual'), 7);
});

await check('keeps bytes', async () => {
  const bytes = Buffer.from([0, 255, 13, 10, 128]);
  await redis.set('bytes', bytes);
  assert.deepEqual(await redis.getBuffer('bytes'), bytes);
});

await check('expires', async () => {
  assert.equal(await redis.set('e', 1, 'EX', 100), 'OK');
  assert.equal(await redis.incr('e'), 2);
  const ttl = await redis.ttl('e');
  assert.ok(ttl > 90 && ttl <= 100, `TTL ${ttl}`);
  assert.equal(await redis.persist('e'), 1);
  assert.equal(await redis.ttl('e'), -1);
  assert.equal(await redis.pexpire('e', 1), 1);
  await eventually(async () => assert.equal(await redis.exists('e'), 0));
});

await check('pipelines', async () => {
  const replies = await redis.pipeline().incrby('p', 2).get('p').incr('c').exec();
  assert.deepEqual(replies.slice(0, 2), [[null, 2], [null, '2']]);
  assert.match(replies[2][0].message, /not an integer/);
});

await check('pipelines of its own accord', async () => {
  const auto = connect({ enableAutoPipelining: true });
  await Promise.all(Array.from({ length: 1000 }, () => auto.incr('auto')));
  assert.equal(await auto.get('auto'), '1000');
});

await check('scans', async () => {
  await redis.mset(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`scan:${i}`, i])));
  const found = new Set();
  for await (const keys of redis.scanStream({ match: 'scan:*', count: 50 })) for (const k of keys) found.add(k);
  assert.equal(found.size, 300);
});

await check('transacts', async () => {
  const replies = await redis.multi().set('t', 1).incr('t').expire('t', 100).get('t').exec();
  assert.deepEqual(replies, [[null, 'OK'], [null, 2], [null, 1], [null, '2']]);
  const watching = connect();
  await watching.watch('t');
  await redis.incr('t');
  assert.equal(await watching.multi().set('t', 0).exec(), null);
  assert.equal(await redis.get('t'), '3');
});

await check('runs scripts', async () => {
  redis.defineCommand('add', { numberOfKeys: 1, lua: "return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('PTTL', KEYS[1])}" });
  assert.deepEqual(await redis.add('s', 5), [5, -1]);
  assert.deepEqual(await redis.add('s', 5), [10, -1]);
  await redis.script('FLUSH');
  assert.deepEqual(await redis.add('s', 5), [15, -1]);
  assert.equal(await redis.eval('return ARGV[1]', 0, 'x'), 'x');
});

await check('counts in hashes', async () => {
  assert.equal(await redis.hincrby('h', 'a', 3), 3);
  assert.equal(await redis.hset('h', { b: 4, c: 'text' }), 2);
  assert.deepEqual(await redis.hgetall('h'), { a: '3', b: '4', c: 'text' });
  assert.deepEqual(await redis.hmget('h', 'a', 'none'), ['3', null]);
  assert.equal(await redis.hdel('h', 'a', 'b'), 2);
  assert.equal(await redis.hlen('h'), 1);
});

await check('publishes and subscribes', async () => {
  const listener = connect();
  const heard = new Promise((resolve) => listener.on('message', (...m) => resolve(m)));
  const matched = new Promise((resolve) => listener.on('pmessage', (...m) => resolve(m)));
  await listener.subscribe('news');
  await listener.psubscribe('new?');
  assert.equal(await redis.publish('news', 'hello'), 2);
  assert.deepEqual(await heard, ['news', 'hello']);
  assert.deepEqual(await matched, ['new?', 'news', 'hello']);
  await listener.unsubscribe('news');
  await listener.punsubscribe('new?');
  assert.equal(await listener.ping(), 'PONG');
});

await check('counts exactly from eight connections', async () => {
  await workers(async () => {
    const c = connect();
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
  countsOverCrashes(() => redis.incr('crashes'), async () => Number(await redis.get('crashes')), true));

for (const c of connections) c.disconnect();
finish();
