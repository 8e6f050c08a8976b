// What every suite of this directory is made of: named checks, one line each, and a server that is restarted on request.
// A suite is started with the server's host and port and what else it needs; it exits with 1 if a check has failed.
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';

const [host, port, ...rest] = process.argv.slice(2);
export const server = { host, port: Number(port) };
export const args = rest;

// patience is how long a check may take. Nobody waits for it when all is well.
const patience = 30_000;

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// check runs one check and prints its line. A check that does not end has failed.
export async function check(name, run) {
  try {
    await within(run());
    console.log(`ok ${name}`);
  } catch (err) {
    console.log(`FAIL ${name}: ${err.stack ?? err}`);
    process.exitCode = 1;
  }
}

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${patience} ms`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// restart has whoever started the suite kill the server with SIGKILL and start it again at the same address.
export async function restart() {
  console.log('restart');
  const { value } = await answers.next();
  if (value !== 'restarted') throw new Error(`restarting the server: ${value}`);
}

// eventually repeats what fails while a client connects again.
export async function eventually(run) {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await run();
    } catch (err) {
      if (Date.now() > deadline) throw err;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

// workers runs the same work eight times at once and returns what each came to.
export function workers(run) {
  return Promise.all(Array.from({ length: 8 }, (_, i) => run(i)));
}

// countsOverCrashes increments a counter, one request after another, while the server is killed and started again five times. What is
// acknowledged is there, and of what failed or was sent twice no more than the request that each crash finds on its way. A failure says that
// the connection was lost, or, to a client that does not ask first whether the server has loaded, that it has not.
export async function countsOverCrashes(increment, value, asksFirst) {
  const crashes = 5;
  const failed = [];
  let counted = 0;
  let over = false;
  const counting = (async () => {
    while (!over) {
      try {
        await increment();
        counted++;
      } catch (err) {
        failed.push(err.message);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  })();
  const more = async () => {
    const before = counted;
    await eventually(async () => assert.ok(counted > before, failed.at(-1)));
  };
  for (let i = 0; i < crashes; i++) {
    await more();
    await restart();
  }
  await more();
  over = true;
  await counting;
  const n = await value();
  assert.ok(n >= counted, `${n} after ${counted} that were acknowledged`);
  assert.ok(n <= counted + crashes, `${n} after ${counted} that were acknowledged, and at most ${crashes} on their way`);
  const passing = asksFirst ? /ECONN|[Cc]losed/ : /ECONN|[Cc]losed|^LOADING/;
  assert.deepEqual(failed.filter((message) => !passing.test(message)), []);
}

// finish ends the suite, also when a failed check has left a connection behind.
export function finish() {
  process.exit();
}
