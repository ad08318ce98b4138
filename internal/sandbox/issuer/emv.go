package issuer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Auth is what the 3DS Server knows before the AReq.
type Auth struct {
	ServerTransID, ACSTransID, Version string
	MethodURL                          string // "" when the card range has none (threeDSCompInd U)
}

// AReq is the authentication request.
type AReq struct {
	ServerTransID   string
	CompInd         string            // Y N U
	NotificationURL string            // where CRes and Erro go; http or https, at most 256 characters
	Browser         map[string]string // by EMV element name (browserColorDepth, …); elements that are absent are not missed
	Amount          int64             // minor units
	Currency        string            // ISO 4217, letters or digits
	WindowSize      string            // challengeWindowSize 01 to 05, default 05
}

// ARes is the authentication response.
type ARes struct {
	TransStatus, TransStatusReason string
	ACSURL, CReq                   string // with C; CReq is base64url without padding
	CardholderInfo                 string // text that the requestor must show
	ECI, AuthenticationValue       string
	Version                        string
	Timeout                        bool // the directory server never answered; nothing else is set
}

// Result is what the 3DS Server learned from the RReq, or from the ARes where there is no challenge.
type Result struct {
	TransStatus, TransStatusReason string
	ECI, AuthenticationValue       string
	ChallengeCancel                string // 01 cancelled, 04 timed out, 05 no CReq came, 06 transaction error
	Done                           bool
}

// transaction is one EMV 3DS authentication, as journalled. It holds how the card behaves, never its number.
type transaction struct {
	ServerID, ACSID, Version  string
	Method, Status, Challenge string // the card's behaviour
	Last4                     string // of its number
	Begun, MethodAt           time.Time

	NotificationURL, CompInd, Currency string
	Amount                             int64
	Answer                             *ARes // nil: no AReq yet
	AnsweredAt                         time.Time

	CReqAt      time.Time // the first CReq; zero: none yet
	CReqSum     string
	CReqs       int
	SessionData *string // nil: none came
	SteppedAt   time.Time
	WrongCodes  int
	Never       bool

	Result     Result
	Field, Out string // what the browser carries back: "cres" or "erro", and its value; "" nothing

	told chan struct{} // closed when the subscribers have heard the result; nil: long ago
}

// Begin opens an authentication for a card with EMV 3DS. mandate is the second run after a soft decline: a challenge is certain.
func (i *Issuer) Begin(c Card, mandate bool) (Auth, error) {
	if !strings.HasPrefix(c.Protocol, "2.") {
		return Auth{}, fmt.Errorf("%w: EMV 3DS", ErrNotEnrolled)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	t := &transaction{Version: c.Protocol, Method: c.Method, Status: c.ARes, Challenge: c.Challenge, Last4: c.PAN[len(c.PAN)-4:],
		Begun: i.o.Now()}
	if mandate {
		t.Status = "C"
	}
	if t.Status == "soft" {
		t.Status = "Y"
	}
	if t.Challenge == "" {
		t.Challenge = "pass"
	}
	var err error
	if t.ServerID, err = i.uuid(4); err != nil {
		return Auth{}, err
	}
	if t.ACSID, err = i.uuid(1); err != nil {
		return Auth{}, err
	}
	if err := i.keep(t); err != nil {
		return Auth{}, err
	}
	i.remember(t)
	a := Auth{ServerTransID: t.ServerID, ACSTransID: t.ACSID, Version: t.Version}
	if t.Method != "none" {
		a.MethodURL = i.o.BaseURL + "/acs/method"
	}
	return a, nil
}

// MethodSeen tells when a browser first opened the Method page of the transaction.
func (i *Issuer) MethodSeen(serverTransID string) (time.Time, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.emv[serverTransID]
	if t == nil {
		return time.Time{}, false
	}
	return t.MethodAt, !t.MethodAt.IsZero()
}

var browserRules = map[string]*regexp.Regexp{
	"browserColorDepth":        regexp.MustCompile(`^(1|4|8|15|16|24|32|48)$`),
	"browserTZ":                regexp.MustCompile(`^[+-]?[0-9]{1,4}$`),
	"browserScreenHeight":      regexp.MustCompile(`^[0-9]{1,6}$`),
	"browserScreenWidth":       regexp.MustCompile(`^[0-9]{1,6}$`),
	"browserJavaEnabled":       regexp.MustCompile(`^(true|false)$`),
	"browserJavascriptEnabled": regexp.MustCompile(`^(true|false)$`),
	"browserLanguage":          regexp.MustCompile(`^[A-Za-z0-9-]{1,8}$`),
	"browserAcceptHeader":      regexp.MustCompile(`^[ -~]+$`),
	"browserUserAgent":         regexp.MustCompile(`^[ -~]+$`),
}

func (a AReq) check() error {
	if !slices.Contains([]string{"Y", "N", "U"}, a.CompInd) {
		return fmt.Errorf("%w: threeDSCompInd %q", ErrRefused, a.CompInd)
	}
	if !webAddress(a.NotificationURL) || len(a.NotificationURL) > 256 {
		return fmt.Errorf("%w: notificationURL must be http or https, at most 256 characters", ErrRefused)
	}
	if !windowSize.MatchString(a.WindowSize) {
		return fmt.Errorf("%w: challengeWindowSize %q", ErrRefused, a.WindowSize)
	}
	for name, rule := range browserRules {
		if v, ok := a.Browser[name]; ok && (len(v) > 2048 || !rule.MatchString(v)) {
			return fmt.Errorf("%w: %s %.40q", ErrRefused, name, v)
		}
	}
	return nil
}

var windowSize = regexp.MustCompile(`^0[1-5]$`)

// webAddress accepts absolute http and https addresses without userinfo.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// Authenticate answers the AReq. A repeated one gets the first answer. A soft card is authenticated (Y): its bank asks for more
// at the authorization. A malformed element is ErrRefused, as Erro 203 would be.
func (i *Issuer) Authenticate(a AReq) (ARes, error) {
	if a.WindowSize == "" {
		a.WindowSize = "05"
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.emv[a.ServerTransID]
	if t == nil || t.ServerID != a.ServerTransID {
		return ARes{}, ErrUnknown
	}
	if t.Answer != nil {
		return *t.Answer, nil
	}
	if err := a.check(); err != nil {
		return ARes{}, err
	}
	res, err := i.answer(t, a)
	if err != nil {
		return ARes{}, err
	}
	next := *t
	next.NotificationURL, next.CompInd, next.Amount, next.Currency = a.NotificationURL, a.CompInd, a.Amount, a.Currency
	next.Answer, next.AnsweredAt = &res, i.o.Now()
	if res.TransStatus != "C" && res.TransStatus != "D" {
		next.Result = Result{TransStatus: res.TransStatus, TransStatusReason: res.TransStatusReason, ECI: res.ECI,
			AuthenticationValue: res.AuthenticationValue, Done: true}
	}
	if err := i.keep(&next); err != nil {
		return ARes{}, err
	}
	*t = next
	i.remember(t)
	return res, nil
}

func (i *Issuer) answer(t *transaction, a AReq) (ARes, error) {
	if t.Status == "timeout" {
		return ARes{Timeout: true}, nil
	}
	res := ARes{TransStatus: t.Status, Version: t.Version}
	var err error
	switch t.Status {
	case "Y", "A":
		res.ECI = map[string]string{"Y": "05", "A": "06"}[t.Status]
		res.AuthenticationValue, err = i.authenticationValue()
	case "N":
		res.TransStatusReason, res.ECI = "01", "07"
	case "R":
		res.TransStatusReason, res.ECI = "11", "07"
		res.CardholderInfo = "Sandbox Bank has stopped this payment. Please call the number on your card."
	case "U":
		res.TransStatusReason, res.ECI = "06", "07"
		if t.Version != "2.1.0" {
			res.TransStatusReason = "22" // ACS technical issue exists from 2.2 on
		}
	case "I":
		res.ECI = "07"
	case "D":
		res.CardholderInfo = "Please confirm this payment in your Sandbox Bank app."
	case "C":
		res.ACSURL = i.o.BaseURL + "/acs/challenge"
		raw, merr := json.Marshal(struct {
			ServerID string `json:"threeDSServerTransID"`
			Type     string `json:"messageType"`
			Version  string `json:"messageVersion"`
			ACSID    string `json:"acsTransID"`
			Window   string `json:"challengeWindowSize"`
		}{t.ServerID, "CReq", t.Version, t.ACSID, a.WindowSize})
		res.CReq, err = base64.RawURLEncoding.EncodeToString(raw), merr
	}
	return res, err
}

// Result answers for a transaction; time limits are applied first. Not Done means that the challenge, the cardholder's app or the
// AReq is still awaited.
func (i *Issuer) Result(serverTransID string) (Result, error) {
	i.mu.Lock()
	t := i.emv[serverTransID]
	if t == nil || t.ServerID != serverTransID {
		i.mu.Unlock()
		return Result{}, ErrUnknown
	}
	fresh, err := i.expire(t)
	r := t.Result
	i.mu.Unlock()
	if fresh {
		i.notifySubscribers(t)
	}
	return r, err
}

// OnResult subscribes to results of challenges and decoupled authentications. Subscribers are called after the result is durable
// and before the CRes goes out, with no lock held. After a restart ask Result for what is open: nobody calls again.
func (i *Issuer) OnResult(f func(serverTransID string, r Result)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.subs = append(i.subs, f)
}

// CheckCRes refuses a cres that is not, byte for byte, the one this issuer gave the browser for the transaction.
func (i *Issuer) CheckCRes(serverTransID, cres string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.emv[serverTransID]
	switch {
	case t == nil:
		return ErrUnknown
	case t.Field != "cres" || t.Out != cres:
		return fmt.Errorf("%w: not the CRes of this transaction", ErrRefused)
	}
	return nil
}

// Sweep ends the transactions whose time is over. Call it every second or so, and when the clock was moved.
func (i *Issuer) Sweep() {
	i.mu.Lock()
	var fresh []*transaction
	for _, t := range i.open {
		if ok, err := i.expire(t); ok && err == nil {
			fresh = append(fresh, t)
		}
	}
	i.mu.Unlock()
	for _, t := range fresh {
		i.notifySubscribers(t)
	}
}

// cres builds the final CRes in the encoding that the card asks for.
func (t *transaction) cres(status string) string {
	raw, _ := json.Marshal(struct {
		ServerID string `json:"threeDSServerTransID"`
		ACSID    string `json:"acsTransID"`
		Done     string `json:"challengeCompletionInd"`
		Type     string `json:"messageType"`
		Version  string `json:"messageVersion"`
		Status   string `json:"transStatus"`
	}{t.ServerID, t.ACSID, "Y", "CRes", t.Version, status})
	switch t.Challenge {
	case "padded":
		for len(raw)%3 == 0 {
			raw = append(raw, '\n') // so that there is padding to see
		}
		return base64.StdEncoding.EncodeToString(raw)
	case "folded":
		var lines []string
		for line := range slices.Chunk([]byte(base64.RawURLEncoding.EncodeToString(raw)), 76) {
			lines = append(lines, string(line))
		}
		return strings.Join(lines, "\r\n")
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// erro builds an Error Message found by the ACS in a CReq.
func (t *transaction) erro(code, description, detail string) string {
	return base64.RawURLEncoding.EncodeToString(erroJSON(t, code, description, detail))
}

func erroJSON(t *transaction, code, description, detail string) []byte {
	m := struct {
		ServerID    string `json:"threeDSServerTransID,omitempty"`
		ACSID       string `json:"acsTransID,omitempty"`
		Type        string `json:"messageType"`
		Version     string `json:"messageVersion"`
		Code        string `json:"errorCode"`
		Component   string `json:"errorComponent"`
		Description string `json:"errorDescription"`
		Detail      string `json:"errorDetail"`
		Message     string `json:"errorMessageType"`
	}{Type: "Erro", Version: "2.2.0", Code: code, Component: "A", Description: description, Detail: detail, Message: "CReq"}
	if t != nil {
		m.ServerID, m.ACSID, m.Version = t.ServerID, t.ACSID, t.Version
	}
	raw, _ := json.Marshal(m)
	return raw
}
