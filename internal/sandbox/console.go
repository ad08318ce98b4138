package sandbox

import (
	"embed"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/sandbox/faults"
	"tollgate/internal/sandbox/ledger"
	"tollgate/internal/sandbox/page"
	"tollgate/internal/sandbox/sim"
)

//go:embed pages
var files embed.FS

var consolePages = page.Parse(files, "pages/*.html")

// How many orders and calls a page of the console lists.
const (
	shownOrders = 10
	shownCalls  = 20
)

type credential struct{ Name, Value string }

type gatewayView struct {
	Name, Address string
	Credentials   []credential
}

type callView struct {
	faults.Call
	At, Answer, Tone string
}

type consoleView struct {
	page.Frame
	Base, Front, APIKey, Done string
	Now                       string
	Movable                   bool
	Gateways                  []gatewayView
	Find                      finding
	Ledger                    []ledgerView
	Calls                     []callView
	Orders, CallsAt           pageOf
	Faults                    []string
	Presets                   []preset
	Waiting                   int
	CallNames                 []string
}

// ledgerView is an order with what can be done to it in its gateway's cabinet.
type ledgerView struct {
	ledger.Entry
	State, Tone string
	Acts        []sim.Act
}

// preset is a fault the console offers. Times is what the fault says, where it is not 1.
type preset struct {
	ID, Title string
	fault     faults.Fault
}

var presets = []preset{
	{"hang", "Handle the call, then hang for 60 seconds", faults.Fault{Do: "hang", When: "after", HoldMS: 60_000}},
	{"lost", "Drop the connection before the gateway sees the call", faults.Fault{Do: "close", When: "before"}},
	{"close", "Handle the call, then drop the connection", faults.Fault{Do: "close", When: "after"}},
	{"cut", "Handle the call, send half of the answer", faults.Fault{Do: "cut"}},
	{"slow", "Answer five seconds late", faults.Fault{Do: "slow", HoldMS: 5_000}},
	{"error", "Handle the call, then answer 500", faults.Fault{Do: "status", When: "after", Status: 500,
		Body: "Internal Server Error", ContentType: "text/plain"}},
	{"html", "Answer 502 with a page of HTML",
		faults.Fault{Do: "status", Status: 502, Body: "<html><h1>502 Bad Gateway</h1></html>"}},
	{"empty", "Answer 200 with nothing", faults.Fault{Do: "body"}},
	{"huge", "Answer with ten megabytes", faults.Fault{Do: "huge"}},
	{"processing", "PaynetEasy status: seven times \"processing\"", faults.Fault{Gateway: "payneteasy", Call: "status",
		Do: "set", Times: 7, Set: map[string]string{"status": "processing"}}},
	{"twice", "Callback: send it twice", faults.Fault{Call: "callback", Do: "twice"}},
	{"late", "Callback: send it a minute late", faults.Fault{Call: "callback", Do: "late", HoldMS: 60_000}},
	{"drop", "Callback: never send it", faults.Fault{Call: "callback", Do: "drop"}},
}

func describe(f faults.Fault) string {
	who := func(s, otherwise string) string {
		if s == "" || s == "*" {
			return otherwise
		}
		return s
	}
	text := fmt.Sprintf("%s, %s: %s", who(f.Gateway, "any gateway"), who(f.Call, "any call"), f.Do)
	if f.When != "" {
		text += " " + f.When + " handling"
	}
	if f.HoldMS > 0 {
		text += " for " + (time.Duration(f.HoldMS) * time.Millisecond).String()
	}
	if f.Status > 0 {
		text += " " + strconv.Itoa(f.Status)
	}
	for _, k := range slices.Sorted(maps.Keys(f.Set)) {
		text += fmt.Sprintf(" %s=%q", k, f.Set[k])
	}
	switch {
	case f.Times < 0:
		text += ", until cleared"
	case f.Times > 1:
		text += fmt.Sprintf(", %d times", f.Times)
	default:
		text += ", once"
	}
	if f.Skip > 0 {
		text += fmt.Sprintf(", after %d more", f.Skip)
	}
	return text
}

func (s *Sandbox) console(w http.ResponseWriter, r *http.Request) {
	e := s.o.Env
	v := &consoleView{
		Frame: page.Frame{Title: "Console", Section: "console"},
		Base:  e.BaseURL, Front: s.o.FrontURL, APIKey: s.o.APIKey, Now: e.Now().UTC().Format("2 January 2006, 15:04:05 MST"),
		Movable: s.o.Advance != nil,
		Presets: presets, Waiting: e.Callbacks.Waiting(),
		Done: map[string]string{"fault": "The fault is set.", "clear": "All faults are cleared.", "clock": "The clock was moved.",
			"reset": "Everything is forgotten.", "cabinet": "It was done in the gateway's cabinet.", "refused": "That was not understood; nothing was changed."}[r.URL.Query().Get("did")],
	}
	for _, g := range s.o.Gateways {
		gv := gatewayView{Name: g.Name(), Address: e.BaseURL + "/" + g.Name()}
		creds := g.Credentials()
		for _, k := range slices.Sorted(maps.Keys(creds)) {
			gv.Credentials = append(gv.Credentials, credential{k, creds[k]})
		}
		v.Gateways = append(v.Gateways, gv)
	}
	v.Find = readFinding(r.URL.Query())
	v.Orders, v.Ledger = s.ordersFor(v.Find)
	calls := e.Faults.Log.Calls("", "")
	names := map[string]bool{}
	for _, c := range calls {
		if c.Call != "callback" && c.Gateway != "acs" {
			names[c.Call] = true
		}
	}
	v.CallNames = slices.Sorted(maps.Keys(names))
	v.CallsAt, v.Calls = callsFor(v.Find, calls)
	for _, f := range e.Faults.List() {
		v.Faults = append(v.Faults, describe(f))
	}
	page.Render(w, http.StatusOK, consolePages, "console.html", v)
}

func (s *Sandbox) redirectToConsole(w http.ResponseWriter, r *http.Request, did string) {
	http.Redirect(w, r, "/?did="+did, http.StatusSeeOther)
}

func (s *Sandbox) consoleFault(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	i := slices.IndexFunc(presets, func(p preset) bool { return p.ID == r.PostFormValue("preset") })
	if i < 0 {
		s.redirectToConsole(w, r, "refused")
		return
	}
	f := presets[i].fault
	if f.Gateway == "" {
		f.Gateway = r.PostFormValue("gateway")
	}
	if f.Call == "" {
		f.Call = strings.TrimSpace(r.PostFormValue("call"))
	}
	if err := s.o.Env.Faults.Add(f); err != nil {
		s.redirectToConsole(w, r, "refused")
		return
	}
	s.redirectToConsole(w, r, "fault")
}

func (s *Sandbox) consoleClear(w http.ResponseWriter, r *http.Request) {
	s.o.Env.Faults.Clear()
	s.redirectToConsole(w, r, "clear")
}

func (s *Sandbox) consoleAdvance(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	seconds, err := strconv.ParseFloat(r.PostFormValue("seconds"), 64)
	if err != nil || s.advance(seconds) != nil {
		s.redirectToConsole(w, r, "refused")
		return
	}
	s.redirectToConsole(w, r, "clock")
}

func (s *Sandbox) consoleReset(w http.ResponseWriter, r *http.Request) {
	if err := s.Reset(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.redirectToConsole(w, r, "reset")
}
