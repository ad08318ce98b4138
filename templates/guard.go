package templates

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strconv"
	"sync"

	"github.com/a-h/templ"
)

// guardScript goes to data-next after data-after seconds. It stands in the page itself, so that a page that waits goes on
// where the file live.js is lost, and live.js, which waits better, stops it.
const guardScript = `(function(d){function go(){if(navigator.onLine===false)window.guard=setTimeout(go,3e3);` +
	`else location.replace(d.next)}window.guard=setTimeout(go,d.after*1e3)})(document.currentScript.dataset)`

// GuardHash is what the script-src of a page that waits, or goes on by itself, needs beside 'self'.
func GuardHash() string { return guardHash() }

var guardHash = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(guardScript))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
})

// guard is that script. It stands before the file that stops it: one that hangs holds up what follows.
func guard(seconds int, next string) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		to := templ.EscapeString(string(webURL(next)))
		_, err := io.WriteString(w, `<script data-after="`+strconv.Itoa(seconds)+`" data-next="`+to+`">`+guardScript+`</script>`)
		return err
	})
}

// methodGuard is after how many seconds the guard of a Method page looks again: a bank that needs longer sees its frame once more, and
// a payment that is over by then is not waited for.
const methodGuard = 6

// guardAfter is how many seconds later than live.js the guard looks again.
const guardAfter = 2
