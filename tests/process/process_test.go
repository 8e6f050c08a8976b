package process

import "testing"

func TestFreePort(t *testing.T) {
	seen := make(map[int]bool)
	for range 100 {
		port, err := FreePort()
		if err != nil || seen[port] || port < lowestPort || port >= lowestPort+ports {
			t.Fatalf("FreePort() = %d, %v; want another one of %d to %d", port, err, lowestPort, lowestPort+ports-1)
		}
		seen[port] = true
	}
}
