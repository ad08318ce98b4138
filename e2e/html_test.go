package e2e_test

import (
	"strings"
	"testing"
	"time"
)

// spy is a gateway's page whose script tries to read what is ours, and writes what it could and what it could not into its document.
const spy = `<!doctype html><meta charset="utf-8"><title>gateway</title><pre id="spied"></pre><script>
const all = {}
const tries = {
	cookie: () => document.cookie, local: () => localStorage.length, session: () => sessionStorage.length, db: () => indexedDB.open("x") && "opened",
	caches: () => caches.keys() && "there", opener: () => opener ? opener.document.title : null, top: () => top === self ? null : top.document.title,
	parent: () => parent === self ? null : parent.document.title, domain: () => (document.domain = location.hostname), worker: () => navigator.serviceWorker ? "there" : null,
	origin: () => self.origin === "null" ? null : self.origin, referrer: () => document.referrer.includes("/pay/") ? document.referrer : null,
}
for (const name in tries) try { all[name] = tries[name]() } catch (e) { all[name] = null }
const page = location.href.replace(/\/page\/.*/, "")
const asked = ["include", "omit"].map(credentials => fetch(page, { credentials }).then(r => r.text(), () => null).then(text => all["fetch " + credentials] = text))
const request = new Promise(done => { const x = new XMLHttpRequest(); x.onload = () => done(x.responseText); x.onerror = () => done(null); x.open("GET", page); x.withCredentials = true; x.send() })
const frame = new Promise(done => { const f = document.createElement("iframe"); f.onload = () => { let text = null; try { text = f.contentDocument.body.innerText || null } catch (e) {} done(text) }; f.src = page; document.body.append(f); setTimeout(() => done(null), 3000) })
Promise.all([...asked, request.then(t => all.xhr = t), frame.then(t => all.frame = t)]).then(() => {
	document.getElementById("spied").textContent = Object.keys(all).filter(n => all[n] !== null && all[n] !== "").map(n => n + "=" + all[n]).join("; ") || "nothing of " + Object.keys(all).length
})
</script>`

// What a gateway sends as a page is shown in a document that is nobody's: its script reads no cookie, no storage, no page of ours, and none
// that opened it.
func TestTheGatewaysPageReadsNothingOfOurs(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	b := open(t, w)
	s := w.create(t, "payneteasy", nil)
	w.fault(t, map[string]any{"gateway": "payneteasy", "call": "status", "match": s.OrderID, "do": "set", "set": map[string]string{"html": spy}, "times": -1})
	b.pay(s, "4000019900070006")
	read := ""
	until(t, 30*time.Second, "the gateway's page has tried everything", func() bool {
		read = ask[string](b, `(document.getElementById("spied") || {}).textContent || ""`)
		return read != ""
	})
	if read != "nothing of 16" {
		t.Errorf("it reads %s", read)
	}
	if at := b.where(); !strings.Contains(at, "/page/") {
		t.Errorf("it stands at %s", at)
	}
	b.forgive("")
}
