package threeds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	formType  = "application/x-www-form-urlencoded"
	boundary  = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
	multiType = "multipart/form-data; boundary=" + boundary
)

func multi(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary, pairs[i], pairs[i+1])
	}
	return b.String() + "--" + boundary + "--\r\n"
}

var noUnexported = cmpopts.IgnoreUnexported(Reply{})

func TestReplyIsReadInEveryEncoding(t *testing.T) {
	long := strings.Repeat("QUJD", 40) // 160 characters of base64
	for name, c := range map[string]struct {
		req  *http.Request
		want Reply
	}{
		"the usual form": {post(formType, "cres=e30%3D&threeDSSessionData=dG9r", ""),
			Reply{CRes: "e30=", SessionData: "dG9r"}},
		"3DS 1.0.2, folded": {post(formType, "PaRes=eJx%0D%0A%2B%2F%3D&MD=a%20b%2Bc", ""),
			Reply{PaRes: "eJx\r\n+/=", MD: "a b+c"}},
		"plus lost on the way": {post(formType, "PaRes=e+J/x&MD=a+b", ""),
			Reply{PaRes: "e+J/x", MD: "a b"}},
		"names in other cases": {post(formType, "CRes=A&THREEDSSESSIONDATA=B&pares=C&md=D&threedsmethoddata=E&ERRO=F", ""),
			Reply{CRes: "A", SessionData: "B", PaRes: "C", MD: "D", MethodData: "E", Erro: "F"}},
		"the 2.0 name of Method data": {post(formType, "3DSMethodData=A", ""), Reply{MethodData: "A"}},
		"the same value twice":        {post(formType, "MD=1&cres=A&cres=A&md=1", ""), Reply{CRes: "A", MD: "1"}},
		"charset parameter":           {post(formType+"; charset=windows-1251", "cres=A", ""), Reply{CRes: "A"}},
		"broken parameter":            {post(formType+"; charset", "cres=A", ""), Reply{CRes: "A"}},
		"type in another case":        {post("Application/X-WWW-Form-URLEncoded", "cres=A", ""), Reply{CRes: "A"}},
		"two types in one header":     {post(formType+", text/html", "cres=A", ""), Reply{CRes: "A"}},
		"empty pairs":                 {post(formType, "&&cres=A&", ""), Reply{CRes: "A"}},
		"query beside the body":       {post(formType, "cres=A", "cres=EVIL&MD=EVIL&x=EVIL"), Reply{CRes: "A"}},
		"other fields":                {post(formType, "status=approved&cres=A&orderid=7&orderid=8", ""), Reply{CRes: "A", Extra: map[string]string{"status": "approved", "orderid": "7"}}},
		"unknown field in windows-1251": {post(formType, "cres=A&btn=%CE%EA", ""),
			Reply{CRes: "A", Extra: map[string]string{"btn": "\uFFFD"}}},
		"multipart":                    {post(multiType, multi("cres", "e30=\r\n", "MD", "x y", "submit", "OK"), ""), Reply{CRes: "e30=\r\n", MD: "x y", Extra: map[string]string{"submit": "OK"}}},
		"multipart with LF only":       {post(multiType, strings.ReplaceAll(multi("cres", "e30="), "\r", ""), ""), Reply{CRes: "e30="}},
		"multipart without a boundary": {post("multipart/form-data", multi("cres", "e30="), ""), Reply{CRes: "e30=", Faults: []string{"bad_form"}}},
		"multipart cut off": {post(multiType, strings.Split(multi("MD", "1", "cres", "e30="), "e30=")[0], ""),
			Reply{MD: "1", Faults: []string{"bad_form"}}},
		"multipart with a wrong type":       {post("application/octet-stream", multi("cres", "e30="), ""), Reply{CRes: "e30=", Faults: []string{"wrong_content_type", "bad_form"}}},
		"text/plain":                        {post("text/plain", "cres=e3+0/=\r\nthreeDSSessionData=dG9r\r\n", ""), Reply{CRes: "e3+0/=", SessionData: "dG9r", Faults: []string{"wrong_content_type"}}},
		"text/plain with a charset":         {post("text/plain;charset=UTF-8", "MD=a=b&c\r\n", ""), Reply{MD: "a=b&c", Faults: []string{"wrong_content_type"}}},
		"text/plain, folded":                {post("text/plain", "PaRes="+fold(long+"QQ==", 76)+"\r\nMD=1\r\n", ""), Reply{PaRes: fold(long+"QQ==", 76), MD: "1", Faults: []string{"wrong_content_type"}}},
		"text/plain, then an empty field":   {post("text/plain", "cres="+long+"\r\nstatus=\r\n", ""), Reply{CRes: long, Extra: map[string]string{"status": ""}, Faults: []string{"wrong_content_type"}}},
		"urlencoded labelled text/plain":    {post("text/plain", "cres=e30%3D&MD=1", ""), Reply{CRes: "e30=", MD: "1", Faults: []string{"wrong_content_type"}}},
		"no content type":                   {post("", "cres=e30%3D&MD=1\r\n", ""), Reply{CRes: "e30=", MD: "1", Faults: []string{"wrong_content_type"}}},
		"no content type, multipart":        {post("", "\r\n"+multi("MD", "1"), ""), Reply{MD: "1", Faults: []string{"wrong_content_type", "bad_form"}}},
		"a form labelled JSON":              {post("application/json", "cres=A", ""), Reply{CRes: "A", Faults: []string{"wrong_content_type"}}},
		"different values":                  {post(formType, "cres=A&CRES=B", ""), Reply{CRes: "A", Faults: []string{"ambiguous_field"}}},
		"empty, then a value":               {post(formType, "MD=&MD=1", ""), Reply{MD: "1", Faults: []string{"ambiguous_field"}}},
		"different values under both names": {post(formType, "3DSMethodData=A&threeDSMethodData=B", ""), Reply{MethodData: "A", Faults: []string{"ambiguous_field"}}},
		"semicolon":                         {post(formType, "MD=a;b&PaRes=AAAA", ""), Reply{MD: "a;b", PaRes: "AAAA", Faults: []string{"bad_form"}}},
		"broken escapes":                    {post(formType, "MD=100%+%zz%41%4&cres=A", ""), Reply{MD: "100% %zzA%4", CRes: "A", Faults: []string{"bad_form"}}},
		"NUL in a value":                    {post(formType, "MD=a%00b&cres=A", ""), Reply{CRes: "A", Faults: []string{"bad_form"}}},
		"MD that is no UTF-8":               {post(formType, "MD=%CE%EA&cres=A", ""), Reply{CRes: "A", Faults: []string{"bad_form"}}},
		"MD of 100 KB":                      {post(formType, "cres=A&MD="+strings.Repeat("x", 100<<10), ""), Reply{CRes: "A", Faults: []string{"too_large"}}},
		"session data over 1024":            {post(formType, "threeDSSessionData="+strings.Repeat("x", 1025), ""), Reply{Faults: []string{"too_large"}}},
		"an extra that is too long":         {post(formType, "cres=A&x="+strings.Repeat("x", MaxExtraValue+1), ""), Reply{CRes: "A", Faults: []string{"dropped_field"}}},
		"nothing":                           {post(formType, "", ""), Reply{Faults: []string{"empty"}}},
		"nothing, but a query":              {post("", "", "cres=EVIL"), Reply{Faults: []string{"empty"}}},
		"GET":                               {httptest.NewRequest("GET", "/r?cres=e3+0&MD=1&x=2", nil), Reply{Method: "GET", CRes: "e3+0", MD: "1", Extra: map[string]string{"x": "2"}}},
		"GET with nothing":                  {httptest.NewRequest("GET", "/r", nil), Reply{Method: "GET"}},
		"HEAD":                              {httptest.NewRequest("HEAD", "/r?cres=A", nil), Reply{Method: "HEAD", CRes: "A"}},
	} {
		got, err := ReadReply(c.req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.want.Method == "" {
			c.want.Method = "POST"
		}
		if c.want.Extra == nil {
			c.want.Extra = map[string]string{}
		}
		if d := cmp.Diff(c.want, got, noUnexported); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestReplyThatIsNoForm(t *testing.T) {
	broken := post(formType, "", "")
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader("cres=A"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	limited := post(formType, "cres="+strings.Repeat("A", 1000), "")
	limited.Body = http.MaxBytesReader(httptest.NewRecorder(), limited.Body, 100)
	lying := post(formType, "cres=A", "")
	lying.ContentLength = 1 << 40
	chunked := post(formType, "", "")
	chunked.ContentLength, chunked.Body = -1, io.NopCloser(strings.NewReader(strings.Repeat("a", MaxReply+1)))
	for name, c := range map[string]struct {
		req    *http.Request
		reason string
	}{
		"JSON":                        {post("application/json", `{"cres":"e30="}`, ""), ReasonWrongContentType},
		"JSON without a content type": {post("", ` {"cres":"e30="}`, ""), ReasonWrongContentType},
		"HTML":                        {post("text/html", `<input name="cres" value="e30=">`, ""), ReasonWrongContentType},
		"white space":                 {post("", "\r\n", ""), ReasonWrongContentType},
		"a word":                      {post("", "hello", ""), ReasonWrongContentType},
		"declared too large":          {lying, ReasonTooLarge},
		"too large, chunked":          {chunked, ReasonTooLarge},
		"stopped by MaxBytesReader":   {limited, ReasonTooLarge},
		"query too large":             {httptest.NewRequest("GET", "/?cres="+strings.Repeat("A", MaxReply), nil), ReasonTooLarge},
		"broken off":                  {broken, ReasonBadForm},
	} {
		r, err := ReadReply(c.req)
		wantReason(t, err, c.reason)
		if !slices.Contains(r.Faults, c.reason) || r.CRes != "" || r.Method != c.req.Method {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestReplyIsBoundedInFields(t *testing.T) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "x%d=1&", i)
	}
	r, err := ReadReply(post(formType, b.String()+"cres=A", ""))
	if err != nil || len(r.Extra) != MaxExtra || r.CRes != "" {
		t.Errorf("%v %v", r, err)
	}
	if d := cmp.Diff([]string{"dropped_field", "too_large"}, r.Faults); d != "" {
		t.Error(d)
	}
}

func TestReplyAfterAMiddlewareParsedTheForm(t *testing.T) {
	for name, req := range map[string]*http.Request{
		"urlencoded": post(formType, "CRES=e3+0&md=1&x=2", "cres=EVIL"),
		"multipart":  post(multiType, multi("CRES", "e3 0", "md", "1", "x", "2"), "cres=EVIL"),
	} {
		if req.FormValue("md") != "1" {
			t.Fatal("the middleware of this test did not parse the form")
		}
		got, err := ReadReply(req)
		want := Reply{Method: "POST", CRes: "e3+0", MD: "1", Extra: map[string]string{"x": "2"}}
		if d := cmp.Diff(want, got, noUnexported); err != nil || d != "" {
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
}

func TestReplyTellsAnEmptyFieldFromAMissingOne(t *testing.T) {
	r, err := ReadReply(post(formType, "threeDSSessionData=&MD=", ""))
	if err != nil || !r.Has("md") || !r.Has("threeDSSessionData") || r.Has("PaRes") || r.Has("nonsense") {
		t.Errorf("%v %v", r, err)
	}
	_, err = r.Session()
	wantReason(t, err, ReasonEmpty)
	_, err = Reply{}.Session()
	wantReason(t, err, ReasonMissing)
}

func TestReplyNeverPrintsItsValues(t *testing.T) {
	r, err := ReadReply(post(formType, "PaRes=SECRETPARES&MD=SECRETMD&x=SECRETX", ""))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("returned", "reply", r, "pointer", &r)
	out := log.String() + fmt.Sprintf("%v %+v %#v %s %q %x %v", r, r, r, r, r, r, &r)
	if strings.Contains(out, "SECRET") || strings.Contains(out, fmt.Sprintf("%x", "SECRET")) {
		t.Error(out)
	}
	if !strings.Contains(out, "PaRes:11 MD:8 extra:1") {
		t.Errorf("names and lengths are missing: %s", out)
	}
}

// A sender that drips one byte a second holds nobody longer than the request's own context.
func TestReplyDoesNotWaitForASlowSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		pr, pw := io.Pipe()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				if _, err := pw.Write([]byte("c")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		req := httptest.NewRequest("POST", "/", pr).WithContext(ctx)
		req.Header.Set("Content-Type", formType)
		start := time.Now()
		r, err := ReadReply(req)
		wantReason(t, err, ReasonTimeout)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("returned after %v", d)
		}
		if !slices.Contains(r.Faults, ReasonTimeout) {
			t.Error(r)
		}
		pr.CloseWithError(errors.New("the server closes the body"))
		<-stopped
	})
}

// Over a real connection: the answer goes out at once when it says Connection: close, as the comment of ReadReply has it.
func TestSlowSenderIsAnsweredAtOnce(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := ReadReply(r.WithContext(ctx))
		w.Header().Set("Connection", "close")
		io.WriteString(w, ReasonOf(err))
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\ncres=A", formType)
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte("timeout")) {
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
	}
}
