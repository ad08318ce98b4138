package flow

import (
	"context"

	"tollgate/session"
)

// MemoryOf is what a Flow holds its store to have forgotten.
func MemoryOf(f *Flow, ctx context.Context) session.Memory { return f.recall.memory(ctx) }

// WaitForCalls returns once no call is out.
func WaitForCalls(f *Flow) { f.calls.out.Wait() }

// Awaited tells whether somebody waits for a session to change.
func Awaited(h *Hub, id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs[id]) > 0
}
