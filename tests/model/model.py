#!/usr/bin/env python3
"""Executable model of the data type (tlv/README.md) and of how replicas exchange it (replica/README.md): contributions with their expiries,
resets, batches per replica, version vectors, relays, state transfer, garbage collection.

Each world is a few replicas that increment, set, delete, expire, persist, sweep, flush, pull from one another (also partly, also through a third), trim
their logs and collect garbage, all drawn from a seed, with skewed clocks where there are expiries. After every step each replica's value (expiry not
hidden) must equal a ghost that tracks single increments and which of them some cancel had observed. At the end all replicas must agree on value and
expiry, and dead keys must have left nothing behind.

    python3 model.py [first-seed] [last-seed]      about fifteen seeds a second, three worlds each; stops at the first that fails

The program has to get right what is simplified here: flush and state transfer are atomic, so the stamp drawn inside the cut, and the holding back of
lagging replicas during a transfer, do not show; garbage collection sees the whole state; there is no crash, no fork, no overflow, no kind, no hash."""
import random, sys, copy

class C:  # contribution of one source
    # birth: since when total counts; rev: the batch that published this; last: the batch of the last increment or SET (0: none);
    # assign: value of the SET that gave birth; exp: (stamp, at) of this replica's own last EXPIRE or PERSIST (at=0)
    __slots__=('birth','rev','last','total','assign','exp','closed')
    def __init__(s,birth,rev,last,total,assign=None,exp=None,closed=False): s.birth,s.rev,s.last,s.total,s.assign,s.exp,s.closed=birth,rev,last,total,assign,exp,closed
    def __repr__(s): return f"C(b{s.birth} r{s.rev} l{s.last} t{s.total} a{s.assign} e{s.exp} {'X' if s.closed else ''})"

class State:
    __slots__=('c','r')
    def __init__(s): s.c={}; s.r={}
    def join(s,o):
        for src,cc in o.c.items():
            m=s.c.get(src)
            if m is None or cc.rev>m.rev: s.c[src]=cc
        for src,rr in o.r.items():
            m=s.r.get(src)
            if m is None or rr[0]>m[0]: s.r[src]=rr
        for src in list(s.r):
            if src in s.c and s.c[src].birth>s.r[src][0]: del s.r[src]
        return s
    def cut(s,src): return s.r[src][0] if src in s.r else 0     # up to which stamp of src everything is cancelled
    def live(s,src): cc=s.c[src]; return not cc.closed and cc.last>s.cut(src)
    def open(s,src): cc=s.c[src]; return not cc.closed and cc.rev>s.cut(src)   # something of it is not cancelled: live, or an armed expiry
    def net(s,src):
        cc=s.c[src]
        return (cc.total-s.r[src][1],None) if s.cut(src)>=cc.birth else (cc.total,cc.assign)
    def exists(s): return any(s.live(src) for src in s.c)
    def value(s):
        if not s.exists(): return None
        live=[src for src in s.c if s.live(src)]
        asg=[(s.c[src].birth,src,s.net(src)[1]) for src in live if s.net(src)[1] is not None]
        return sum(s.net(src)[0] for src in live)+(max(asg)[2] if asg else 0)
    def expiry(s):
        """the latest EXPIRE or PERSIST that nobody cancelled: (stamp, src, at)"""
        e=s.force()
        return e if e and e[2] else None
    def force(s):
        """the same, a PERSIST included. What a contribution was counted under goes with what is left of it."""
        return max([(cc.exp[0],src,cc.exp[1]) for src,cc in s.c.items() if not cc.closed and cc.exp and (s.live(src) or cc.exp[0]>s.cut(src))],default=None)
    def due(s,now): e=s.expiry(); return e is not None and e[2]<=now

class Replica:
    def __init__(s,id,world): 
        s.id=id; s.w=world; s.db={}; s.vv={}; s.log={}; s.hlc=0; s.skew=world.rng.choice([-3,0,0,2]) if world.ttl else 0
        s.pend={}      # key -> dict(delta, reborn(bool), assign, birth, resets{}, x)
        s.known={}; s.removed={}; s.assigns={}   # ghost: token ids per key
        s.gb=[]        # ghost batch: events
        s.dur=dict(known={},removed={},assigns={})  # ghost of what is durable here
    def ms(s): return s.w.now+s.skew
    def stamp(s):
        s.hlc=max(s.hlc+1,s.ms()<<20); return s.hlc
    def st(s,k): return s.db.get(k) or State()
    def view(s,k):
        """durable state with this replica's pending ops laid over it"""
        v=copy.deepcopy(s.st(k)); p=s.pend.get(k)
        if p: v.join(s.operand(k,p,1<<62))
        return v
    def operand(s,k,p,rev):
        o=State(); st=s.st(k); cur=st.c.get(s.id)
        if p['touch']:
            if p['reborn'] or cur is None or not st.open(s.id):
                if p['add']: o.c[s.id]=C(p['birth'],rev,rev,p['delta'],p['assign'],p['exp'] or ((p['birth'],0) if p['ended'] or cur and cur.closed and cur.exp else None))
                elif p['exp']: o.c[s.id]=C(p['exp'][0],rev,0,0,None,p['exp'])
                else: o.c[s.id]=C(rev,rev,0,0,None,p['ended'],closed=True)
            else: o.c[s.id]=C(cur.birth,rev,rev if p['add'] else cur.last,cur.total+p['delta'],cur.assign,p['exp'] or cur.exp)
        o.r=dict(p['resets'])
        return o
    def p(s,k):
        return s.pend.setdefault(k,dict(delta=0,reborn=False,assign=None,birth=0,resets={},exp=None,touch=False,add=False,ended=None))
    # ---- local ops
    def before_write(s,k):
        """a write on an expired key, or on one of which only leftovers are stored, first cancels all that is stored"""
        v=s.view(k)
        if v.due(s.ms()) or not v.exists(): s.reset(k)
    def incr(s,k,d):
        s.before_write(k); s.carry(k); p=s.p(k); st=s.stamp()
        if not p['add']: p['birth']=st
        p['touch']=p['add']=True; p['delta']+=d
        tok=s.w.token(); s.known.setdefault(k,{})[tok]=d; s.gb.append(('add',k,tok,d))
    def own_exp(s,k):
        cc=s.view(k).c.get(s.id)
        return cc.exp[0] if cc and cc.exp and not cc.closed else 0
    def carry(s,k):
        """what is counted under an expiry, or after a PERSIST, carries it"""
        f=s.view(k).force()
        if f and f[0]>s.own_exp(k): p=s.p(k); p['exp']=(f[0],f[2]); p['touch']=True
    def after_merge(s,k):
        """what was counted before its time under an expiry that is no longer in force elsewhere keeps it"""
        v=s.view(k); cc=v.c.get(s.id)
        if cc is None or not v.live(s.id): return
        f=v.force(); p=s.pend.get(k)
        if p and p['add'] and f and f[0]>s.own_exp(k) and (f[2]==0 or f[2]>s.ms()): s.carry(k); return
        x=max([(c.exp[0],src,c.exp[1]) for src,c in v.c.items() if src!=s.id and c.exp],default=None)
        if not x or x[0]<=s.own_exp(k) or f and f[0]>=x[0]: return
        if x[2]==0 or not (p and p['add']) and cc.last<x[2]<<20: p=s.p(k); p['exp']=(x[0],x[2]); p['touch']=True
    def reset(s,k):
        """cancel exactly what is stored and seen here: DEL, SET, GETDEL, expiry"""
        st=s.st(k); v=s.view(k); srcs=[src for src in v.c if v.open(src)]
        if not srcs: return
        p=s.p(k); f=v.force()
        if f: p['ended']=(f[0],f[2])
        for src in srcs:
            if src!=s.id: p['resets'][src]=(st.c[src].rev,st.c[src].total)
        if s.id in srcs:
            p.update(reborn=True,touch=True,add=False,delta=0,assign=None,birth=0,exp=None)
        rem=s.removed.setdefault(k,set()); toks=[t for m in (s.known,s.assigns) for t in m.get(k,{}) if s.w.origin[t] in srcs]
        rem.update(toks); s.gb.append(('rem',k,toks))
    def delete(s,k): s.before_write(k); s.reset(k)
    def set(s,k,val):
        s.reset(k); p=s.p(k); b=s.stamp()
        p.update(reborn=True,touch=True,add=True,delta=0,assign=val,birth=b,exp=None)
        tok=s.w.token(); s.assigns.setdefault(k,{})[tok]=((b,s.id),val); s.gb.append(('asg',k,tok,(b,s.id),val))
    def expire(s,k,sec):
        s.before_write(k)
        if s.view(k).exists(): p=s.p(k); p['exp']=(s.stamp(),s.ms()+sec if sec else 0); p['touch']=True
    def sweep(s,grace=10**9):
        """only the replica that set the expiry carries it out; anyone may, long after"""
        for k in s.w.keys:
            v=s.view(k); e=v.expiry()
            if e and (e[2]<=s.ms() and e[1]==s.id or e[2]+grace<=s.ms()): s.reset(k)
    # ---- flush: one batch
    def flush(s):
        # the owner closes what others have cancelled, and an expiry left over on a dead key
        for k in s.w.keys:
            v=s.view(k); st=s.st(k)
            if s.id in st.c and not st.c[s.id].closed and (not st.open(s.id) or not v.exists()):
                p=s.p(k)
                if not st.open(s.id): p['touch']=True
                elif not p['add']: p.update(reborn=True,touch=True,exp=None)
        if not s.pend: return
        rev=s.stamp(); deltas={}; pre={k:copy.deepcopy(s.st(k)) for k in s.pend}
        for k,p in s.pend.items(): deltas[k]=s.operand(k,p,rev)
        for k,o in deltas.items(): s.db[k]=s.st(k).join(copy.deepcopy(o))
        for k,o in deltas.items():
            cur=pre.get(k)
            if s.id not in o.c or (cur and s.id in cur.c and cur.c[s.id].birth==o.c[s.id].birth): continue
            own=[t for t in s.removed.get(k,()) if s.w.origin[t]==s.id]
            if own: s.gb.append(('rem',k,own))
        prev=s.vv.get(s.id,0)
        s.log.setdefault(s.id,[]).append((prev,rev,copy.deepcopy(deltas),list(s.gb))); s.vv[s.id]=rev; s.pend={}; s.ghost_durable(s.gb); s.gb=[]
    def ghost_apply(s,evs):
        for e in evs:
            if e[0]=='add': s.known.setdefault(e[1],{})[e[2]]=e[3]
            elif e[0]=='asg': s.assigns.setdefault(e[1],{})[e[2]]=(e[3],e[4])
            else: s.removed.setdefault(e[1],set()).update(e[2])
    def ingest(s,src,prev,rev,deltas,gb):
        if s.vv.get(src,0)>=rev: return True
        if s.vv.get(src,0)!=prev: return False  # below: a gap; between prev and rev: the source has forked
        s.hlc=max(s.hlc,rev) # HLC receive rule
        for k,o in deltas.items(): s.db[k]=s.st(k).join(copy.deepcopy(o)); s.after_merge(k)
        s.vv[src]=rev; s.log.setdefault(src,[]).append((prev,rev,deltas,gb)); s.ghost_apply(gb); s.ghost_durable(gb)
        return True
    def pull(s,o,limit=None):
        for src,l in o.log.items():
            if src==s.id: continue
            n=0
            have=s.vv.get(src,0)
            if o.vv.get(src,0)<=have: continue
            if l and l[0][0]>have: return s.fullsync(o)
            for (prev,rev,d,gb) in l:
                if rev<=s.vv.get(src,0): continue
                if limit is not None and n>=limit: break
                assert s.ingest(src,prev,rev,d,gb); n+=1
    def fullsync(s,o):
        # state transfer: consistent snapshot of o (db,vv)
        s.flush()
        for k in set(s.db)|set(o.db):
            mine=s.st(k); theirs=o.db.get(k) or State(); add=State()
            for src,cc in theirs.c.items():
                if src!=s.id and cc.rev>s.vv.get(src,0): add.c[src]=cc
            for src,cc in mine.c.items():
                if src!=s.id and src not in theirs.c and cc.rev<=o.vv.get(src,0): add.c[src]=C(o.vv[src],o.vv[src],0,0,closed=True)
            for src,rr in theirs.r.items():
                # stale reset of something already closed here
                if src in mine.c or src in add.c or rr[0]>s.vv.get(src,0): add.r[src]=rr
            s.db[k]=mine.join(copy.deepcopy(add)); s.after_merge(k)
        for src,v in o.vv.items():
            if src!=s.id and v>s.vv.get(src,0):
                s.vv[src]=v; s.log[src]=[]   # nothing to relay from before this point
                s.hlc=max(s.hlc,v)
        for src in o.vv:
            if src!=s.id and not s.log.get(src): s.log[src]=[(s.vv[src],s.vv[src],{},[])]
        for g in (s.dur,dict(known=s.known,removed=s.removed,assigns=s.assigns)):
            for k in s.w.keys:
                g['known'].setdefault(k,{}).update(o.dur['known'].get(k,{}))
                g['removed'].setdefault(k,set()).update(o.dur['removed'].get(k,set()))
                g['assigns'].setdefault(k,{}).update(o.dur['assigns'].get(k,{}))
    def ghost_durable(s,evs):
        for e in evs:
            if e[0]=='add': s.dur['known'].setdefault(e[1],{})[e[2]]=e[3]
            elif e[0]=='asg': s.dur['assigns'].setdefault(e[1],{})[e[2]]=(e[3],e[4])
            else: s.dur['removed'].setdefault(e[1],set()).update(e[2])
    def trim(s):
        for src,l in s.log.items():
            if len(l)>1: del l[:s.w.rng.randint(0,len(l)-1)]
    def gc(s):
        """what compaction and the scrubber may drop; full state known"""
        for k in list(s.db):
            st=s.db[k]
            for src in list(st.c):
                if st.c[src].closed and st.c[src].rev<=s.vv.get(src,0): del st.c[src]
            for src in list(st.r):
                if src not in st.c and st.r[src][0]<=s.vv.get(src,0): del st.r[src]
                elif src in st.c and st.c[src].birth>st.r[src][0]: del st.r[src]
            if not st.c and not st.r: del s.db[k]
    def ghost(s,k):
        rem=s.removed.get(k,set())
        toks=[t for t in s.known.get(k,{}) if t not in rem]; asg=[a for t,a in s.assigns.get(k,{}).items() if t not in rem]
        if not toks and not asg: return None
        return sum(s.known[k][t] for t in toks)+(max(asg)[1] if asg else 0)

class World:
    def __init__(s,seed,n=3,keys=2,steps=120,ttl=False,full=True):
        s.rng=random.Random(seed); s.now=1000; s.ttl=ttl; s.tok=0; s.origin={}; s.cur=None
        s.r=[Replica(i+1,s) for i in range(n)]; s.keys=[f"k{i}" for i in range(keys)]; s.steps=steps; s.full=full
    def token(s): s.tok+=1; s.origin[s.tok]=s.cur.id; return s.tok
    def run(s):
        g=s.rng
        for step in range(s.steps):
            s.now+=g.choice([0,0,1])
            r=g.choice(s.r); s.cur=r; k=g.choice(s.keys); op=g.random()
            if op<.35: r.incr(k,g.choice([1,1,5,-2,0]))
            elif op<.45: r.delete(k)
            elif op<.52: r.set(k,g.randint(-5,100))
            elif op<.58 and s.ttl: r.expire(k,g.choice([0,1,3,8]))
            elif op<.62 and s.ttl: r.sweep(g.choice([10**9,20]))
            elif op<.72: r.flush()
            elif op<.92:
                o=g.choice(s.r)
                if o is not r: r.pull(o,g.choice([None,1,2]))
            elif op<.95: r.gc()
            elif s.full: r.trim()
            for x in s.r:
                for kk in s.keys:
                    a,b=x.view(kk).value(),x.ghost(kk)
                    assert a==b,(step,x.id,kk,a,b,x.view(kk).c,x.view(kk).r)
        # quiesce: first converge with expiries still running, then let every one of them pass
        def settle():
            for _ in range(8):
                for x in s.r:
                    s.cur=x
                    if s.ttl: x.sweep()
                    x.flush()
                for x in s.r:
                    for o in s.r:
                        if o is not x: x.pull(o)
        settle()
        for k in s.keys: assert len({(x.view(k).value(),x.view(k).expiry()) for x in s.r})==1,(k,[(x.id,x.st(k).c,x.st(k).r) for x in s.r])
        s.now+=100; settle()
        for k in s.keys:
            vals=[x.view(k).value() for x in s.r]
            assert set(vals)=={s.r[0].ghost(k)},(k,vals,[(x.st(k).c,x.st(k).r) for x in s.r],[x.vv for x in s.r])
            assert not s.r[0].view(k).due(s.now+10),k
        for x in s.r: x.gc()
        for k in s.keys:
            if s.r[0].view(k).value() is None:
                for x in s.r:
                    if k in x.db: assert not x.db[k].c and not x.db[k].r,(k,x.id,x.db[k].c,x.db[k].r,x.vv)

class Limiter(World):
    """Limiters: whoever counts 1 sets a TTL, perhaps somebody deletes. At the end no key may be left, on any replica."""
    grace=10**9
    def run(s, dels=False):
        g=s.rng
        for step in range(s.steps):
            s.now+=g.choice([0,0,1,1,2])
            r=g.choice(s.r); s.cur=r; k=g.choice(s.keys); op=g.random()
            if op<.4:
                r.before_write(k); r.incr(k,1)
                if r.view(k).value()==1: r.expire(k,g.choice([3,6]))
            elif op<.43 and dels: r.delete(k)
            elif op<.52: r.sweep(s.grace)
            elif op<.65: r.flush()
            elif op<.92:
                o=g.choice(s.r)
                if o is not r: r.pull(o,g.choice([None,1,2]))
            elif op<.95: r.gc()
            elif s.full: r.trim()
            for x in s.r:
                for kk in s.keys:
                    a,b=x.view(kk).value(),x.ghost(kk)
                    assert a==b,('ghost',step,x.id,kk,a,b,x.view(kk).c,x.view(kk).r)
        def settle():
            for _ in range(8):
                for x in s.r:
                    s.cur=x; x.sweep(s.grace); x.flush()
                for x in s.r:
                    for o in s.r:
                        if o is not x: x.pull(o)
        settle()
        for k in s.keys: assert len({(x.view(k).value(),x.view(k).expiry()) for x in s.r})==1,('diverged',k,[(x.id,x.st(k).c,x.st(k).r) for x in s.r])
        s.now+=100; settle()
        for k in s.keys:
            for x in s.r: assert x.view(k).value() is None,('immortal',k,x.view(k).c,x.view(k).r)
        for x in s.r: x.gc()
        for k in s.keys:
            for x in s.r:
                if k in x.db: assert not x.db[k].c and not x.db[k].r,('left',k,x.id,x.db[k].c,x.db[k].r,x.vv)

if __name__=='__main__':
    a=int(sys.argv[1]) if len(sys.argv)>1 else 0; b=int(sys.argv[2]) if len(sys.argv)>2 else 2000
    for seed in range(a,b):
        for ttl in (False,True):
            w=World(seed,n=2+seed%4,keys=1+seed%3,steps=60+seed%150,ttl=ttl)
            try: w.run()
            except AssertionError as e: print('FAIL seed',seed,'ttl',ttl,e); sys.exit(1)
        w=Limiter(seed,n=2+seed%3,keys=1+seed%2,steps=60+seed%150,ttl=True)
        try: w.run(dels=seed%2==1)
        except AssertionError as e: print('FAIL seed',seed,'limiter',e); sys.exit(1)
    print('ok',b-a,'worlds x3')
