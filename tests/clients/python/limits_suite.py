"""The Python library limits, its storage for Redis: python3 limits_suite.py HOST PORT.

Its windows begin at multiples of their length, so the tests use years: none ends while they run but on one day in
365 days of Unix time. Its moving window needs lists, which this server does not have.
"""

import time

import limits
from limits.storage import RedisStorage
from limits.strategies import FixedWindowElasticExpiryRateLimiter, FixedWindowRateLimiter

from check import HOST, PORT, check, equal, finish, workers

YEARLY = limits.RateLimitItemPerYear(100)


_open = []


def storage():
    """A storage with connections of its own; a limiter holds it by a weak reference only."""
    _open.append(RedisStorage(f"redis://{HOST}:{PORT}"))
    return _open[-1]


def allowed(limiter, *identifiers):
    """Hits the limit from eight workers with a connection each, and counts what they were allowed."""

    def hit():
        mine = limiter(storage())
        return sum(mine.hit(YEARLY, *identifiers) for _ in range(50))

    return sum(workers(hit))


@check("is a storage that answers")
def _():
    assert storage().check()


@check("a fixed window allows eight workers the limit, exactly")
def _():
    equal(allowed(FixedWindowRateLimiter, "fixed"), 100)
    mine = FixedWindowRateLimiter(storage())
    equal(mine.test(YEARLY, "fixed"), False)
    equal(mine.get_window_stats(YEARLY, "fixed")[1], 0)


@check("an elastic window allows eight workers the limit, exactly")
def _():
    equal(allowed(FixedWindowElasticExpiryRateLimiter, "elastic"), 100)


@check("counts by cost, and forgets")
def _():
    mine = FixedWindowRateLimiter(storage())
    assert mine.hit(YEARLY, "cost", cost=60)
    equal(mine.get_window_stats(YEARLY, "cost")[1], 40)
    assert not mine.hit(YEARLY, "cost", cost=60)
    mine.clear(YEARLY, "cost")
    equal(mine.get_window_stats(YEARLY, "cost")[1], 100)


@check("resets")
def _():
    store = storage()
    equal(store.incr("LIMITER/reset", 3600), 1)
    assert store.get_expiry("LIMITER/reset") > time.time()
    assert store.reset() > 0
    equal(store.get("LIMITER/reset"), 0)


finish()
