"""Executable model of escrow, which the server does not have: stocks that never go below zero, as row i of a matrix of rights inside the
contribution of replica i. A replica takes only what it has the right to, and grants rights to others.

    python3 escrow.py [worlds] [bug]

bug: sameid (a restored copy keeps its ID), eager (a grant is counted in before the donor has journaled it), noepoch (DEL and a new stock
without an epoch). Without a bug it fails if a world sells more than its stock, or replicas disagree at the end."""
import random, sys, copy
worlds, bug = (int(sys.argv[1]) if len(sys.argv) > 1 else 300), (sys.argv[2] if len(sys.argv) > 2 else "")
class Rep:
    def __init__(s, id): s.id, s.st, s.clock = id, {}, 0          # st: id -> (rev, epoch, total, {to: granted})
    def epoch(s): return max((c[1] for c in s.st.values()), default=0)
    def mine(s):
        e = s.epoch(); c = s.st.get(s.id)
        return (e, c[2], dict(c[3])) if c and (c[1] == e or bug == "noepoch") else (e, 0, {})
    def put(s, e, t, g):
        s.clock = max([s.clock] + [c[0] for c in s.st.values()]) + 1
        s.st[s.id] = (s.clock, e, t, g)
    def live(s): e = s.epoch(); return {i: c for i, c in s.st.items() if c[1] == e or bug == "noepoch"}
    def rights(s):
        L = s.live(); m = L.get(s.id, (0, 0, 0, {}))
        return m[2] + sum(c[3].get(s.id, 0) for i, c in L.items() if i != s.id) - sum(m[3].values())
    def value(s): return sum(c[2] for c in s.live().values())
    def merge(s, o):
        for i, c in o.items():
            if i not in s.st or s.st[i][0] < c[0]: s.st[i] = c
bad = stuck = takes = refused = 0
for w in range(worlds):
    r = random.Random(w); n = r.randint(2, 4); reps = [Rep(i + 1) for i in range(n)]; nid = n + 1
    stock, sold, mail, backups = {}, {}, [], []                   # per epoch
    def new(x, k):                                                # CNEW key BOUNDED k, on replica 1 only
        e = max([x.epoch()] + list(stock)) + 1 if bug != "noepoch" else 1
        if bug == "noepoch" and stock:                            # DEL observed, then new stock: cancels what it has seen
            for i in list(x.st): x.st[i] = (x.st[i][0], 1, 0, {}) if i == x.id else x.st[i]
        x.put(e, k, {}); stock[e] = stock.get(e, 0) + k if bug != "noepoch" else k; sold.setdefault(e, 0)
    new(reps[0], r.randint(1, 20))
    for step in range(r.randint(5, 60)):
        x = r.choice(reps); op = r.random(); e, t, g = x.mine()
        if op < .35:
            q = r.randint(1, 4)
            if x.rights() >= q and e: x.put(e, t - q, g); sold[e] = sold.get(e, 0) + q; takes += 1
            else: refused += 1
        elif op < .45 and e: q = r.randint(1, 5); x.put(e, t + q, g); stock[e] = stock.get(e, 0) + q       # INCRBY restocks here
        elif op < .62 and e:
            y = r.choice(reps); q = r.randint(1, 5)
            if y is not x and x.rights() >= q: g[y.id] = g.get(y.id, 0) + q; x.put(e, t, g)
            elif bug == "eager" and y is not x: g[y.id] = g.get(y.id, 0) + q; y.merge({x.id: (x.clock + 1, e, t, g)})
        elif op < .66 and x is reps[0] and bug != "eager": new(x, r.randint(1, 20))
        elif op < .70: backups.append((x, copy.deepcopy(x.st)))
        elif op < .73 and backups:
            y, st = r.choice(backups)
            if y in reps:
                z = Rep(y.id if bug == "sameid" else nid); nid += 1; z.st = copy.deepcopy(st); z.clock = y.clock if bug == "sameid" else 0
                reps[reps.index(y)] = z
        elif op < .90: mail.append((r.choice(reps), copy.deepcopy(x.st)))
        elif mail: y, st = r.choice(mail); y.merge(st)            # late, twice, out of order
        if any(sold.get(k, 0) > v for k, v in stock.items()): bad += 1; break
    else:
        for _ in range(3):
            for a in reps:
                for b in reps: a.merge(b.st)
        vals = {x.value() for x in reps}; tot = sum(x.rights() for x in reps)
        if len(vals) != 1 or min(vals) < 0 and bug == "" or (bug == "" and tot > min(vals)): bad += 1
        stuck += tot < min(vals)
print(f"{worlds} worlds {bug or 'without a bug'}: bad {bad}, takes {takes}, refused {refused}, worlds with rights stuck at a lost ID {stuck}")
sys.exit(bad > 0 and bug == "")
