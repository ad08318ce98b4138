package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

const firefoxPath = "/usr/bin/firefox-esr"

// quiet keeps Firefox from asking anything of the network by itself.
const quiet = `user_pref("app.normandy.enabled", false);
user_pref("app.update.auto", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.cache.disk.enable", false);
user_pref("browser.region.network.url", "");
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.search.update", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.topsites.contile.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disableIPv6", true);
user_pref("remote.active-protocols", 1);
user_pref("security.sandbox.warn_unprivileged_namespaces", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.server", "data:,");
`

// bidi is a connection by which Firefox is driven: https://w3c.github.io/webdriver-bidi.
type bidi struct {
	ws     *websocket.Conn
	mu     sync.Mutex
	n      int
	asked  map[int]chan bidiAnswer
	broken error

	troubles []string
	hosts    []string // that pages may ask
	forgiven []string // what the test brings about on purpose
}

type bidiAnswer struct {
	ID      int             `json:"id"`
	Type    string          `json:"type"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// firefoxTab is one tab of one Firefox.
type firefoxTab struct {
	*bidi
	context  string
	noScript bool
}

// startFirefox starts a Firefox with a profile of its own, until the test ends.
func startFirefox(t testing.TB, w *world, setup browserSetup) webDriver {
	t.Helper()
	needs(t, firefoxPath)
	profile, err := os.MkdirTemp("", "tollgate-firefox-")
	if err != nil {
		t.Fatal(err)
	}
	prefs := quiet
	if setup.noScript {
		prefs += "user_pref(\"javascript.enabled\", false);\n"
	}
	if setup.noThirdParty {
		prefs += "user_pref(\"network.cookie.cookieBehavior\", 1);\n"
	}
	if setup.private {
		prefs += "user_pref(\"browser.privatebrowsing.autostart\", true);\n"
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(firefoxPath, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0",
		"--remote-allow-origins", "http://localhost", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.SysProcAttr = ofThisRun()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopGroup(cmd)
		os.RemoveAll(profile)
	})
	address := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, at, ok := strings.Cut(lines.Text(), "WebDriver BiDi listening on "); ok {
				address <- at
			}
		}
	}()
	var at string
	select {
	case at = <-address:
	case <-time.After(60 * time.Second):
		t.Fatal("Firefox does not start")
	}
	ws, err := websocket.Dial(at+"/session", "", "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	f := &bidi{ws: ws, asked: map[int]chan bidiAnswer{}, hosts: []string{w.Front + "/", w.Sandbox + "/", "data:", "about:", "http://localhost:"}}
	go f.read()
	t.Cleanup(func() {
		f.mu.Lock()
		for _, what := range f.troubles {
			t.Errorf("in Firefox: %s", what)
		}
		f.mu.Unlock()
		_ = f.ask("browser.close", map[string]any{}, nil)
		ws.Close()
	})
	if err := errors.Join(
		f.ask("session.new", map[string]any{"capabilities": map[string]any{}}, nil),
		f.ask("session.subscribe", map[string]any{"events": []string{"log.entryAdded", "network.beforeRequestSent"}}, nil)); err != nil {
		t.Fatal(err)
	}
	var tree struct{ Contexts []struct{ Context string } }
	if err := f.ask("browsingContext.getTree", map[string]any{}, &tree); err != nil || len(tree.Contexts) == 0 {
		t.Fatal("Firefox has no tab: ", err)
	}
	return &firefoxTab{f, tree.Contexts[0].Context, setup.noScript}
}

// stopGroup ends a program and what it started.
func stopGroup(cmd *exec.Cmd) {
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(300 * time.Millisecond):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // who outlived it
}

func (f *bidi) read() {
	for {
		var m bidiAnswer
		err := websocket.JSON.Receive(f.ws, &m)
		f.mu.Lock()
		switch {
		case err != nil:
			f.broken = err
			for _, c := range f.asked {
				close(c)
			}
			f.asked = nil
			f.mu.Unlock()
			return
		case m.Type == "event":
			f.heard(m)
		case f.asked[m.ID] != nil:
			f.asked[m.ID] <- m
			delete(f.asked, m.ID)
		}
		f.mu.Unlock()
	}
}

// heard writes down what no page should bring about.
func (f *bidi) heard(m bidiAnswer) {
	var e struct {
		Level, Text, Type string
		Request           struct{ URL string }
	}
	if json.Unmarshal(m.Params, &e) != nil {
		return
	}
	begins := func(list []string, s string) bool {
		return slices.ContainsFunc(list, func(part string) bool { return strings.HasPrefix(s, part) })
	}
	if m.Method == "log.entryAdded" && e.Level == "error" && !begins(f.forgiven, e.Text) {
		f.troubles = append(f.troubles, e.Text)
	}
	if u := e.Request.URL; u != "" && !begins(f.hosts, u) {
		f.troubles = append(f.troubles, "a request to a foreign host: "+u)
	}
}

// known is what a test brings about on purpose: a host, and words of complaint.
func (f *bidi) known(host, words string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts, f.forgiven = append(f.hosts, host), append(f.forgiven, words)
}

func (f *bidi) ask(method string, params, answer any) error {
	f.mu.Lock()
	if f.asked == nil {
		f.mu.Unlock()
		return fmt.Errorf("%s: Firefox is gone: %w", method, f.broken)
	}
	f.n++
	id, come := f.n, make(chan bidiAnswer, 1)
	f.asked[id] = come
	f.mu.Unlock()
	if err := websocket.JSON.Send(f.ws, map[string]any{"id": id, "method": method, "params": params}); err != nil {
		return err
	}
	limit, stop := context.WithTimeout(context.Background(), time.Minute) // of a busy machine
	defer stop()
	select {
	case m, ok := <-come:
		switch {
		case !ok:
			return fmt.Errorf("%s: Firefox is gone", method)
		case m.Type == "error":
			return fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		case answer == nil:
			return nil
		}
		return json.Unmarshal(m.Result, answer)
	case <-limit.Done():
		return fmt.Errorf("%s: no answer of Firefox", method)
	}
}

func (f *firefoxTab) open(url string) error {
	return f.ask("browsingContext.navigate", map[string]any{"context": f.context, "url": url, "wait": "complete"}, nil)
}

func (f *firefoxTab) node(css string) (string, error) {
	var found struct{ Nodes []struct{ SharedID string } }
	err := f.ask("browsingContext.locateNodes", map[string]any{"context": f.context, "maxNodeCount": 1,
		"locator": map[string]any{"type": "css", "value": css}}, &found)
	if err != nil || len(found.Nodes) == 0 {
		return "", err
	}
	return found.Nodes[0].SharedID, nil
}

func (f *firefoxTab) find(css string) (bool, error) {
	id, err := f.node(css)
	return id != "", err
}

func (f *firefoxTab) click(css string) error {
	id, err := f.node(css)
	if err != nil || id == "" {
		return fmt.Errorf("there is no %s: %w", css, err)
	}
	if err := f.run(fmt.Sprintf(`document.querySelector(%q).scrollIntoView({block: "center"})`, css), nil); err != nil {
		return err
	}
	return f.act(map[string]any{"type": "pointer", "id": "mouse", "actions": []any{
		map[string]any{"type": "pointerMove", "x": 0, "y": 0, "origin": map[string]any{"type": "element", "element": map[string]any{"sharedId": id}}},
		map[string]any{"type": "pointerDown", "button": 0}, map[string]any{"type": "pointerUp", "button": 0},
	}})
}

// act does what a hand does. The page may go while it is done.
func (f *firefoxTab) act(hand map[string]any) error {
	err := f.ask("input.performActions", map[string]any{"context": f.context, "actions": []any{hand}}, nil)
	if err != nil && (strings.Contains(err.Error(), "no such frame") || strings.Contains(err.Error(), "AbortError") || strings.Contains(err.Error(), "discarded")) {
		return nil
	}
	return err
}

func (f *firefoxTab) typeInto(css, keys string) error {
	if err := f.click(css); err != nil {
		return err
	}
	var typed []any
	for _, r := range keys {
		key := string(r)
		switch r {
		case '\r':
			key = "\uE007"
		case '\t':
			key = "\uE004"
		}
		typed = append(typed, map[string]any{"type": "keyDown", "value": key}, map[string]any{"type": "keyUp", "value": key})
	}
	return f.act(map[string]any{"type": "key", "id": "keys", "actions": typed})
}

func (f *firefoxTab) text(css string) (words string, err error) {
	return words, f.run(fmt.Sprintf("document.querySelector(%q).innerText", css), &words)
}

// run works with script off as well, beside the page's own scripts and not among them.
func (f *firefoxTab) run(expression string, answer any) error {
	var got struct {
		Type             string
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	target := map[string]any{"context": f.context}
	if f.noScript {
		target["sandbox"] = "driver"
	}
	err := f.ask("script.evaluate", map[string]any{"expression": stringified(expression), "awaitPromise": false, "target": target}, &got)
	switch {
	case err != nil:
		return err
	case got.Type != "success":
		return errors.New(got.ExceptionDetails.Text)
	case answer == nil:
		return nil
	}
	return json.Unmarshal([]byte(got.Result.Value), answer)
}

func (f *firefoxTab) back() error {
	return f.ask("browsingContext.traverseHistory", map[string]any{"context": f.context, "delta": -1}, nil)
}

func (f *firefoxTab) reload() error {
	return f.ask("browsingContext.reload", map[string]any{"context": f.context, "wait": "complete"}, nil)
}

func (f *firefoxTab) another() (webDriver, error) {
	var made struct{ Context string }
	err := f.ask("browsingContext.create", map[string]any{"type": "tab", "referenceContext": f.context}, &made)
	return &firefoxTab{f.bidi, made.Context, f.noScript}, err
}

func (f *firefoxTab) front() error {
	return f.ask("browsingContext.activate", map[string]any{"context": f.context}, nil)
}

func (f *firefoxTab) frame() (webDriver, error) {
	var tree struct {
		Contexts []struct{ Children []struct{ Context string } }
	}
	if err := f.ask("browsingContext.getTree", map[string]any{"root": f.context}, &tree); err != nil {
		return nil, err
	}
	if len(tree.Contexts) == 0 || len(tree.Contexts[0].Children) == 0 {
		return nil, errors.New("there is no frame")
	}
	return &firefoxTab{f.bidi, tree.Contexts[0].Children[0].Context, f.noScript}, nil
}
