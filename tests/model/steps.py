#!/usr/bin/env python3
"""Writes what the model makes of random steps on one key, for a program to be held to it after each of them (engine/state/steps_test.go).

    python3 tests/model/steps.py > engine/state/testdata/steps.json

A world is three replicas without expiries. Replicas count from 1. A line is one world: its steps, each an operation of one replica ("set" and "incr"
with a number, "pull" with the replica that it pulls from), then what all replicas show, and what is open of the state that the acting one has
stored: of each contribution its replica, birth, rev, last, total, assigned value or null, and the rev and the base of the reset that it has or
null."""
import json, random, model

def open_of(st):
    out=[]
    for src in sorted(st.c):
        c=st.c[src]
        if not st.open(src): continue
        cut=st.r.get(src)
        out.append([src,c.birth,c.rev,c.last,c.total,c.assign,list(cut[:2]) if cut and cut[0]>=c.birth else None])
    return out

def world(seed,steps=50):
    w=model.World(seed,n=3,keys=1); g=random.Random(seed); k=w.keys[0]; out=[]
    for _ in range(steps):
        w.now+=g.choice([0,0,1]); r=g.choice(w.r); w.cur=r; x=g.random(); s=dict(now=w.now,replica=r.id)
        if x<.34: s.update(op='incr',n=g.choice([1,1,5,-2,0])); r.incr(k,s['n'])
        elif x<.46: s.update(op='del'); r.delete(k)
        elif x<.51: s.update(op='set',n=g.randint(-5,100)); r.set(k,s['n'])
        elif x<.70: s.update(op='flush'); r.flush()
        else:
            o=g.choice([o for o in w.r if o is not r]); s.update(op='pull',n=o.id); r.pull(o)
        for o in w.r: assert o.view(k).value()==o.ghost(k)
        s.update(shows=[o.view(k).value() for o in w.r],open=open_of(r.st(k))); out.append(s)
    return out

for seed in range(30): print(json.dumps(world(seed),separators=(',',':')))
