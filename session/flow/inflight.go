package flow

import "sync"

// inFlight are the sessions about which a call of this process is out, or about to leave.
type inFlight struct {
	mu  sync.Mutex
	out map[string]int
}

// take counts one more; done is called once, when its answer is stored.
func (f *inFlight) take(session string) (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out == nil {
		f.out = map[string]int{}
	}
	f.out[session]++
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.out[session]--; f.out[session] == 0 {
			delete(f.out, session)
		}
	})
}

func (f *inFlight) has(session string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out[session] > 0
}

// callerDied tells that whoever made a session's call is dead, so that there is no deadline to wait for: the call left from
// this store's only process, and that is not this one.
func (f *Flow) callerDied(id string) bool { return f.Alone && !f.inFlight.has(id) }
