package tlv

import (
	"fmt"
	"testing"
)

func TestClusterJoin(t *testing.T) {
	named := func(names ...ClusterID) Cluster { return Cluster{Names: names} }
	fresh := func(name ClusterID) Cluster { return Cluster{Names: []ClusterID{name}, Provisional: true} }
	for _, test := range []struct{ mine, theirs, want Cluster }{
		{fresh(5), fresh(4), fresh(4)},
		{fresh(4), fresh(5), fresh(4)},
		{fresh(4), named(5, 6), Cluster{Names: []ClusterID{5, 6}, Provisional: true}},
		{named(5, 6), fresh(4), named(5, 6)},
		{named(5, 7), named(4, 5), named(4, 5, 7)},
		{named(5), Cluster{}, named(5)},
	} {
		if got := test.mine.Join(test.theirs); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%v meets %v: %v; want %v", test.mine, test.theirs, got, test.want)
		}
	}
}
