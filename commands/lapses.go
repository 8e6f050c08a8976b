package commands

// lapses is a heap of keys with an expiry, the next first.
type lapses []*trackedKey

func (l lapses) Len() int           { return len(l) }
func (l lapses) Less(i, j int) bool { return l[i].lapse < l[j].lapse }
func (l lapses) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}
func (l *lapses) Push(x any) {
	k := x.(*trackedKey)
	k.place = len(*l)
	*l = append(*l, k)
}
func (l *lapses) Pop() any {
	old := *l
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	return k
}
