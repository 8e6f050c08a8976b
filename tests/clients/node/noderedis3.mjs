// node-redis 3, the last one with callbacks: node noderedis3.mjs HOST PORT.
import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import { createClient } from 'redis3';
import { check, eventually, finish, restart, server, workers } from './check.mjs';

const connect = (options) => {
  const c = createClient({ ...server, ...options });
  c.on('error', () => {}); // what matters comes back from the commands
  return { client: c, do: (command, ...rest) => promisify(c[command]).call(c, ...rest) };
};
const exec = (batch) => promisify(batch.exec).call(batch);
const redis = connect();

await check('connects with its defaults', async () => {
  assert.equal(await redis.do('ping'), 'PONG');
  const other = connect({ db: 3 });
  assert.equal(await other.do('incr', 'elsewhere'), 1);
  assert.equal(await redis.do('exists', 'elsewhere'), 0);
});

await check('counts', async () => {
  assert.equal(await redis.do('incr', 'n'), 1);
  assert.equal(await redis.do('incrby', 'n', 41), 42);
  assert.equal(await redis.do('decr', 'n'), 41);
  assert.equal(await redis.do('decrby', 'n', 42), -1);
  assert.equal(await redis.do('get', 'n'), '-1');
});

await check('sets, and reads many', async () => {
  assert.equal(await redis.do('set', 'a', 5), 'OK');
  assert.equal(await redis.do('set', 'a', 6, 'NX'), null);
  assert.equal(await redis.do('mset', 'b', 7, 'c', 'text'), 'OK');
  assert.deepEqual(await redis.do('mget', 'a', 'b', 'none', 'c'), ['5', '7', null, 'text']);
  await assert.rejects(redis.do('incr', 'c'), { message: 'ERR value is not an integer or out of range' });
});

await check('expires', async () => {
  assert.equal(await redis.do('setex', 'e', 100, 1), 'OK');
  assert.equal(await redis.do('incr', 'e'), 2);
  const ttl = await redis.do('ttl', 'e');
  assert.ok(ttl > 90 && ttl <= 100, `TTL ${ttl}`);
  assert.equal(await redis.do('pexpire', 'e', 1), 1);
  await eventually(async () => assert.equal(await redis.do('exists', 'e'), 0));
});

await check('pipelines', async () => {
  assert.deepEqual(await exec(redis.client.batch().incrby('p', 2).get('p')), [2, '2']);
});

await check('transacts', async () => {
  assert.deepEqual(await exec(redis.client.multi().set('t', 1).incr('t').get('t')), ['OK', 2, '2']);
  const watching = connect();
  await watching.do('watch', 't');
  await redis.do('incr', 't');
  assert.equal(await exec(watching.client.multi().set('t', 0)), null);
  assert.equal(await redis.do('get', 't'), '3');
});

await check('runs scripts', async () => {
  const add = "return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('PTTL', KEYS[1])}";
  assert.deepEqual(await redis.do('eval', add, 1, 's', 5), [5, -1]);
  const sha = await redis.do('script', 'LOAD', add);
  assert.deepEqual(await redis.do('evalsha', sha, 1, 's', 5), [10, -1]);
});

await check('counts in hashes', async () => {
  assert.equal(await redis.do('hincrby', 'h', 'a', 3), 3);
  assert.equal(await redis.do('hmset', 'h', { b: 4, c: 'text' }), 'OK');
  assert.deepEqual({ ...(await redis.do('hgetall', 'h')) }, { a: '3', b: '4', c: 'text' });
});

await check('publishes and subscribes', async () => {
  const listener = connect();
  const heard = new Promise((resolve) => listener.client.on('message', (...m) => resolve(m)));
  await listener.do('subscribe', 'news');
  assert.equal(await redis.do('publish', 'news', 'hello'), 1);
  assert.deepEqual(await heard, ['news', 'hello']);
});

await check('counts exactly from eight connections', async () => {
  await workers(async () => {
    const c = connect();
    for (let i = 0; i < 250; i++) await c.do('incr', 'all');
  });
  assert.equal(await redis.do('get', 'all'), '2000');
});

await check('connects again after a crash', async () => {
  await redis.do('set', 'before', 7);
  await restart();
  assert.equal(await eventually(() => redis.do('incr', 'before')), 8);
  assert.equal(await redis.do('get', 'all'), '2000');
});

finish();
