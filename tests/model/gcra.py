"""Executable model of a rate limiter by GCRA over replicas, which the server does not have. The TAT of a key is the assigned base, of which the last SET
wins, and the sum of what each replica has added since. Three ways to keep it: keep, the sums are never born again and the base is a cell of its own;
reborn, one cell, of which a SET begins a new life; lww, no sum at all.

    python3 gcra.py

There are N replicas, and each is asked for load times its fair share. States travel every lag; a partition, if there is one, is in the middle third. It
prints how many requests are admitted, and fails if keep admits more than 1 % too many without a partition."""
import random, sys
def run(N, rate, burst, lag, T, part, load, mode, seed=1):
    r = random.Random(seed); e = 1 / rate; tol = (burst + 1) * e
    st = [{"base": (0, 0, 0.0), "add": {}} for _ in range(N)]    # base (stamp, replica, value); add: replica -> (rev, epoch, total)
    ok = 0; peak = 0; recent = []; t = 0; nxt = lag; lww = [(0, 0, 0.0)] * N
    dt = 1 / (rate * load)
    while t < T:
        t += dt * r.expovariate(1); i = r.randrange(N); s = st[i]
        while nxt < t:
            cut = part and T / 3 < nxt < 2 * T / 3
            if not cut:
                for a in range(N):
                    for b in range(N):
                        if a != b:
                            st[a]["base"] = max(st[a]["base"], st[b]["base"])
                            for k, c in st[b]["add"].items():
                                if c > st[a]["add"].get(k, (0,)): st[a]["add"][k] = c
                            lww[a] = max(lww[a], lww[b])
            nxt += lag
        if mode == "lww":                                        # what SET of a computed TAT would be: the last write wins
            tat = max(lww[i][2], t)
            if tat + e - t <= tol: lww[i] = (t, i, tat + e); ok += 1; recent.append(t)
            continue
        tat = s["base"][2] + sum(c[2] for c in s["add"].values())
        if tat < t:                                              # idle: the base moves, so that the TAT is now
            if mode == "reborn" and i in s["add"]: s["add"][i] = (s["add"][i][0] + 1, 0, 0.0)   # what a SET does today
            seen = sum(c[2] for c in s["add"].values())
            s["base"] = max(s["base"], (t, i, t - seen)); tat = t
        if tat + e - t <= tol:
            c = s["add"].get(i, (0, 0, 0.0)); s["add"][i] = (c[0] + 1, 0, c[2] + e); ok += 1; recent.append(t)
    w = 1.0; j = 0
    for k, x in enumerate(recent):
        while recent[j] < x - w: j += 1
        peak = max(peak, k - j + 1)
    return ok, peak
for part in (False, True):
    for mode in ("keep", "reborn", "lww"):
        for lag, T in ((0.02, 60), (0.2, 60), (1.0, 60), (0.2, 180)):
            N, rate, burst, load = 3, 100, 20, 3
            ok, peak = run(N, rate, burst, lag, T, part, load, mode)
            if mode == "keep" and not part and ok > 1.01 * (rate * T + burst + 1): sys.exit(f"keep admits {ok} in {T} s")
            print(f"{f'partition {T//3} s of {T}' if part else f'no partition, {T} s'} {mode} lag {lag:4}: admitted {ok} of {rate*T+burst+1} allowed ({100*ok/(rate*T+burst+1)-100:+.1f} %), worst 1 s {peak} (limit {rate+burst+1})")
