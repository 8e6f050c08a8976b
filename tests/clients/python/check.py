"""What every suite of this directory is made of: named checks, one line each, and a server that is restarted on request.

A suite is started with the server's host and port; it exits with 1 if a check has failed.
"""

import sys
import threading
import time
import traceback

HOST, PORT = sys.argv[1], int(sys.argv[2])

# PATIENCE is how long a condition may take, in seconds. Nobody waits for it when all is well.
PATIENCE = 30

_failed = []


def check(name):
    """Runs the function that it decorates, and prints its line."""

    def run(body):
        try:
            body()
            print("ok", name, flush=True)
        except Exception as err:
            print(f"FAIL {name}: {err!r}\n{traceback.format_exc()}", flush=True)
            _failed.append(name)

    return run


def equal(got, want):
    assert got == want, f"{got!r}; want {want!r}"


def restart():
    """Has whoever started the suite kill the server with SIGKILL and start it again at the same address."""
    print("restart", flush=True)
    equal(sys.stdin.readline().strip(), "restarted")


def eventually(body):
    """Repeats what fails while a client connects again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return body()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def workers(body):
    """Runs the same work in eight threads and returns what each came to."""
    results = [None] * 8

    def work(i):
        try:
            results[i] = body()
        except Exception as err:
            results[i] = err

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in results:
        if isinstance(r, Exception):
            raise r
    return results


def finish():
    sys.exit(1 if _failed else 0)
