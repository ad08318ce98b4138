package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	webkitDriverPath = "/usr/bin/WebKitWebDriver"
	xvfbPath         = "/usr/bin/Xvfb"
)

// screen is the one X display of the package: WebKitGTK has no way to run without one.
var screen struct {
	once sync.Once
	cmd  *exec.Cmd
	name string
	err  error
}

func startScreen() {
	numbers, number, err := os.Pipe()
	if err != nil {
		screen.err = err
		return
	}
	cmd := exec.Command(xvfbPath, "-displayfd", "3", "-screen", "0", "1280x1000x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{number}
	cmd.SysProcAttr = ofThisRun()
	if screen.err = cmd.Start(); screen.err != nil {
		return
	}
	number.Close()
	screen.cmd = cmd
	line, err := bufio.NewReader(numbers).ReadString('\n')
	numbers.Close()
	if screen.err = err; err == nil {
		screen.name = ":" + strings.TrimSpace(line)
	}
}

func stopScreen() {
	if screen.cmd != nil {
		stopGroup(screen.cmd)
	}
}

// webkitTab is one window of a WebKitGTK browser, driven by WebDriver: https://www.w3.org/TR/webdriver2.
type webkitTab struct {
	session, handle string
	framed          bool    // in its first frame
	current         *string // the window that the session speaks of
	mu              *sync.Mutex
}

// startWebKit starts a WebKitGTK browser with a home of its own, until the test ends.
func startWebKit(t testing.TB, _ *world, setup browserSetup) webDriver {
	t.Helper()
	needs(t, webkitDriverPath)
	needs(t, xvfbPath)
	screen.once.Do(startScreen)
	if screen.err != nil {
		t.Fatal("Xvfb: ", screen.err)
	}
	home, err := os.MkdirTemp("", "tollgate-webkit-")
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command(webkitDriverPath, "--host=127.0.0.1", fmt.Sprintf("--port=%d", port))
	cmd.Env = append(os.Environ(), "DISPLAY="+screen.name, "HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_DATA_HOME="+home, "XDG_CACHE_HOME="+home,
		"XDG_CONFIG_HOME="+home, "NO_AT_BRIDGE=1", "GIO_USE_VFS=local", "GSETTINGS_BACKEND=memory", "WEBKIT_DISABLE_DMABUF_RENDERER=1", "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = ofThisRun()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopGroup(cmd)
		os.RemoveAll(home)
	})
	args := []string{"--automation"}
	if setup.noScript {
		args = append(args, "--enable-javascript-markup=false") // script of pages alone: the driver needs its own
	}
	if setup.private {
		args = append(args, "--enable-private-browsing=true")
	}
	if setup.noThirdParty {
		args = append(args, "--cookies-policy=no-third-party")
	}
	base := fmt.Sprintf("http://127.0.0.1:%d/session", port)
	until(t, 20*time.Second, "WebKitWebDriver listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	var made struct{ SessionID string }
	err = webdriverCall(http.MethodPost, base, map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"pageLoadStrategy":         "normal",
		"webkitgtk:browserOptions": map[string]any{"binary": "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser", "args": args},
	}}}, &made)
	if err != nil {
		t.Fatal(err)
	}
	b := &webkitTab{session: base + "/" + made.SessionID, current: new(string), mu: &sync.Mutex{}}
	t.Cleanup(func() { _ = webdriverCall(http.MethodDelete, b.session, nil, nil) })
	if err := webdriverCall(http.MethodGet, b.session+"/window", nil, &b.handle); err != nil {
		t.Fatal(err)
	}
	*b.current = b.handle
	return b
}

// webdriverCall is one command.
func webdriverCall(method, address string, body, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	read := bytes.NewReader(nil)
	if body != nil {
		read = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, address, read)
	if err != nil {
		return err
	}
	c := http.Client{Timeout: 25 * time.Second}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var got struct{ Value json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		var wrong struct{ Error, Message string }
		_ = json.Unmarshal(got.Value, &wrong)
		return fmt.Errorf("WebDriver %s: %s: %s", address[strings.LastIndex(address, "/"):], wrong.Error, wrong.Message)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(got.Value, answer)
}

// call is a command about this window.
func (b *webkitTab) call(method, path string, body, answer any) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if *b.current != b.handle {
		if err := webdriverCall(http.MethodPost, b.session+"/window", map[string]any{"handle": b.handle}, nil); err != nil {
			return err
		}
		*b.current = b.handle
	}
	if !b.framed {
		return webdriverCall(method, b.session+path, body, answer)
	}
	frame := map[string]string{}
	if err := webdriverCall(http.MethodPost, b.session+"/element", map[string]any{"using": "css selector", "value": "iframe"}, &frame); err != nil {
		return err
	}
	if err := webdriverCall(http.MethodPost, b.session+"/frame", map[string]any{"id": frame}, nil); err != nil {
		return err
	}
	err := webdriverCall(method, b.session+path, body, answer)
	return errors.Join(err, webdriverCall(http.MethodPost, b.session+"/frame", map[string]any{"id": nil}, nil))
}

func (b *webkitTab) frame() (webDriver, error) {
	return &webkitTab{b.session, b.handle, true, b.current, b.mu}, nil
}

func (b *webkitTab) open(url string) error {
	return b.call(http.MethodPost, "/url", map[string]any{"url": url}, nil)
}

func (b *webkitTab) element(css string) (string, error) {
	found := map[string]string{}
	if err := b.call(http.MethodPost, "/element", map[string]any{"using": "css selector", "value": css}, &found); err != nil {
		return "", err
	}
	for _, id := range found {
		return "/element/" + id, nil
	}
	return "", fmt.Errorf("there is no %s", css)
}

func (b *webkitTab) find(css string) (bool, error) {
	_, err := b.element(css)
	if err != nil && strings.Contains(err.Error(), "no such element") {
		return false, nil
	}
	return err == nil, err
}

func (b *webkitTab) click(css string) error {
	id, err := b.element(css)
	if err != nil {
		return err
	}
	return b.call(http.MethodPost, id+"/click", map[string]any{}, nil)
}

func (b *webkitTab) typeInto(css, keys string) error {
	id, err := b.element(css)
	if err != nil {
		return err
	}
	return b.call(http.MethodPost, id+"/value", map[string]any{"text": strings.NewReplacer("\r", "\uE007", "\t", "\uE004").Replace(keys)}, nil)
}

func (b *webkitTab) text(css string) (words string, err error) {
	return words, b.run(fmt.Sprintf("document.querySelector(%q).innerText", css), &words)
}

func (b *webkitTab) run(expression string, answer any) error {
	var raw string
	err := b.call(http.MethodPost, "/execute/sync", map[string]any{"script": "return " + stringified(expression), "args": []any{}}, &raw)
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal([]byte(raw), answer)
}

func (b *webkitTab) back() error { return b.call(http.MethodPost, "/back", map[string]any{}, nil) }

func (b *webkitTab) reload() error {
	return b.call(http.MethodPost, "/refresh", map[string]any{}, nil)
}

func (b *webkitTab) another() (webDriver, error) {
	var made struct{ Handle string }
	if err := b.call(http.MethodPost, "/window/new", map[string]any{"type": "tab"}, &made); err != nil {
		return nil, err
	}
	return &webkitTab{b.session, made.Handle, false, b.current, b.mu}, nil
}

func (b *webkitTab) front() error { return b.call(http.MethodGet, "/window", nil, nil) }
