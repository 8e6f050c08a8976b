package push

// expiries is a heap of keys with an expiry, the next first.
type expiries []*trackedKey

func (l expiries) Len() int           { return len(l) }
func (l expiries) Less(i, j int) bool { return l[i].expireAt < l[j].expireAt }
func (l expiries) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}
func (l *expiries) Push(x any) {
	k := x.(*trackedKey)
	k.place = len(*l)
	*l = append(*l, k)
}
func (l *expiries) Pop() any {
	old := *l
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	return k
}
