// rate-limit-redis, the store of express-rate-limit, in an Express application: node rate-limit-redis.mjs HOST PORT.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import Redis from 'ioredis';
import { RedisStore } from 'rate-limit-redis';
import { createClient } from 'redis';
import { check, finish, server, workers } from './check.mjs';

const stores = {
  ioredis: async () => {
    const redis = new Redis(server);
    return (...command) => redis.call(...command);
  },
  'node-redis': async () => {
    const redis = createClient({ socket: server });
    await redis.connect();
    return (...command) => redis.sendCommand(command);
  },
};

// serve starts an application of its own and returns its address.
async function serve(sendCommand, options) {
  const store = new RedisStore({ sendCommand, ...options });
  const app = express();
  app.use(rateLimit({ windowMs: 3_600_000, limit: 100, standardHeaders: 'draft-8', legacyHeaders: false, store }));
  app.get('/', (_, response) => response.send('hello'));
  const listener = app.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return `http://127.0.0.1:${listener.address().port}/`;
}

for (const [name, open] of Object.entries(stores)) {
  await check(`${name}: eight applications allow the limit, exactly`, async () => {
    const codes = await workers(async () => {
      const url = await serve(await open(), { prefix: `${name}:` });
      const mine = [];
      for (let i = 0; i < 25; i++) {
        const response = await fetch(url);
        await response.text();
        mine.push(response.status);
      }
      return mine;
    });
    assert.equal(codes.flat().filter((code) => code === 200).length, 100);
    assert.equal(codes.flat().filter((code) => code === 429).length, 100);
  });

  await check(`${name}: the store`, async () => {
    const send = await open();
    const store = new RedisStore({ sendCommand: send, prefix: `${name}:store:` });
    await store.init({ windowMs: 60_000 });
    assert.equal((await store.increment('one')).totalHits, 1);
    assert.equal((await store.increment('one')).totalHits, 2);
    await store.decrement('one');
    const { totalHits, resetTime } = await store.get('one');
    assert.equal(totalHits, 1);
    assert.ok(resetTime > new Date() && resetTime <= new Date(Date.now() + 60_000));
    await send('SCRIPT', 'FLUSH');
    assert.equal((await store.increment('one')).totalHits, 2);
    await store.resetKey('one');
    assert.equal(await send('EXISTS', `${name}:store:one`), 0);
  });
}

finish();
