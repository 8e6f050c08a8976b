// rate-limiter-flexible over ioredis and node-redis: node rate-limiter-flexible.mjs HOST PORT.
import assert from 'node:assert/strict';
import Redis from 'ioredis';
import { BurstyRateLimiter, RateLimiterQueue, RateLimiterRedis, RateLimiterRedisNonAtomic, RLWrapperBlackAndWhite } from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { check, eventually, finish, server, workers } from './check.mjs';

const stores = {
  ioredis: async () => ({ storeClient: new Redis(server) }),
  'node-redis': async () => {
    const storeClient = createClient({ socket: server });
    await storeClient.connect();
    return { storeClient, useRedisPackage: true };
  },
};

for (const [name, open] of Object.entries(stores)) {
  const limiter = async (options, Kind = RateLimiterRedis) => new Kind({ ...(await open()), points: 100, duration: 3600, keyPrefix: name, ...options });

  await check(`${name}: eight workers are allowed the limit, exactly`, async () => {
    const allowed = await workers(async () => {
      const mine = await limiter();
      let n = 0;
      for (let i = 0; i < 50; i++) await mine.consume('shared').then(() => n++, (refused) => assert.equal(refused.remainingPoints, 0));
      return n;
    });
    assert.equal(allowed.reduce((a, b) => a + b), 100);
    const state = await (await limiter()).get('shared');
    assert.equal(state.consumedPoints, 400);
    assert.ok(state.msBeforeNext > 0 && state.msBeforeNext <= 3_600_000);
  });

  await check(`${name}: penalties, rewards, blocks`, async () => {
    const l = await limiter({ points: 10 });
    assert.equal((await l.consume('one', 4)).remainingPoints, 6);
    assert.equal((await l.penalty('one', 3)).consumedPoints, 7);
    assert.equal((await l.reward('one', 2)).consumedPoints, 5);
    await l.block('one', 100);
    await assert.rejects(l.consume('one'), (refused) => refused.msBeforeNext > 90_000);
    assert.equal(await l.delete('one'), true);
    assert.equal(await l.get('one'), null);
    await l.set('one', 10, 100);
    await assert.rejects(l.consume('one'), (refused) => refused.consumedPoints === 11);
  });

  await check(`${name}: allows again in the next window`, async () => {
    const l = await limiter({ points: 2, duration: 1, keyPrefix: `${name}:short` });
    await l.consume('one', 2);
    const { remainingPoints } = await eventually(() => l.consume('one'));
    assert.equal(remainingPoints, 1);
  });

  await check(`${name}: blocks for longer what goes beyond`, async () => {
    const l = await limiter({ points: 1, blockDuration: 7200, keyPrefix: `${name}:block` });
    await l.consume('one');
    await assert.rejects(l.consume('one'), (refused) => refused.msBeforeNext > 3_700_000);
  });

  await check(`${name}: bursts`, async () => {
    const bursty = new BurstyRateLimiter(await limiter({ points: 2, keyPrefix: `${name}:slow` }), await limiter({ points: 3, keyPrefix: `${name}:burst` }));
    const outcomes = [];
    for (let i = 0; i < 7; i++) outcomes.push(await bursty.consume('one').then(() => true, () => false));
    assert.deepEqual(outcomes, [true, true, true, true, true, false, false]);
  });

  await check(`${name}: without scripts`, async () => {
    const l = await limiter({ points: 2, keyPrefix: `${name}:plain` }, RateLimiterRedisNonAtomic);
    assert.equal((await l.consume('one')).remainingPoints, 1);
    assert.equal((await l.consume('one')).remainingPoints, 0);
    await assert.rejects(l.consume('one'), (refused) => refused.consumedPoints === 3);
  });

  await check(`${name}: a queue, a list of exceptions`, async () => {
    const queue = new RateLimiterQueue(await limiter({ points: 5, keyPrefix: `${name}:queue` }));
    assert.equal(await queue.removeTokens(2), 3);
    const excepting = new RLWrapperBlackAndWhite({ limiter: await limiter({ points: 1, keyPrefix: `${name}:lists` }), whiteList: ['friend'], blackList: ['foe'] });
    for (let i = 0; i < 3; i++) await excepting.consume('friend');
    await assert.rejects(excepting.consume('foe'));
  });
}

finish();
