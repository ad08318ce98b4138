package transactworld

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"tollgate/providers"
)

func TestWhichNotificationsAreReadAtAll(t *testing.T) {
	p := testProvider(t, nil)
	sum := p.client.signResult("54289", "00001", "50.00", "Y")
	object := `{"paymentId":"54289","merchantTransactionId":"00001","amount":"50.00","transactionStatus":"Y","checksum":"` + sum + `"}`
	form := "paymentId=54289&merchantTransactionId=00001&amount=50.00&transactionStatus=Y&checksum=" + sum
	const formType = "application/x-www-form-urlencoded"
	get := notice("application/json", object)
	get.Method = http.MethodGet
	broken := notice("application/json", "")
	broken.Body = io.NopCloser(io.MultiReader(strings.NewReader(object), iotest.ErrReader(errors.New("cut"))))
	padded := func(n int) *http.Request {
		return notice("application/json", object+strings.Repeat(" ", n-len(object)))
	}
	for name, c := range map[string]struct {
		r     *http.Request
		taken bool
	}{
		"a POST": {notice("application/json", object), true}, "a GET with a body": {get, false}, "cut off after the last brace": {broken, false},
		"64 KiB": {padded(64 << 10), true}, "a byte more": {padded(64<<10 + 1), false}, "128 KiB": {padded(128 << 10), false},
		"an object that is called a form": {notice(formType, object), false}, "a form": {notice(formType, form), true},
		"a form with a broken escape": {notice(formType, form+"&x=%zz"), false}, "a form that says the same twice": {notice(formType, form+"&amount=+50.00"), true},
		"names in capitals": {notice(formType, strings.ToUpper(form[:9])+form[9:]), true}, "two spellings of a name that differ": {notice(formType, form+"&AMOUNT=51.00"), false},
		"two spellings in an object that say the same":        {notice("application/json", strings.Replace(object, "{", `{"AMOUNT":"50.00",`, 1)), true},
		"two spellings in an object that differ":              {notice("application/json", strings.Replace(object, "{", `{"AMOUNT":"51.00",`, 1)), false},
		"both names of the number, the same":                  {notice(formType, form+"&desc=00001&trackingid=54289"), true},
		"both names of the number, different, signed without": {notice(formType, "paymentId=54289&merchantTransactionId=00001&desc=00002&amount=50.00&transactionStatus=Y&checksum="+p.client.signResult("54289", "", "50.00", "Y")), false},
		"no amount, signed as nothing":                        {notice(formType, "paymentId=54289&merchantTransactionId=00001&amount=x&transactionStatus=Y&checksum="+p.client.signResult("54289", "00001", "0.00", "Y")), false},
		"no amount, signed as 0":                              {notice(formType, "paymentId=54289&merchantTransactionId=00001&amount=x&transactionStatus=Y&checksum="+p.client.signResult("54289", "00001", "0", "Y")), false},
		"no amount, signed as no text":                        {notice(formType, "paymentId=54289&merchantTransactionId=00001&amount=x&transactionStatus=Y&checksum="+p.client.signResult("54289", "00001", "", "Y")), false},
		"a checksum with half a byte behind it":               {notice("application/json", strings.Replace(object, sum, sum+"0", 1)), false},
		"a checksum with a word behind it":                    {notice("application/json", strings.Replace(object, sum, sum+"zz", 1)), false},
		"white space before the object":                       {notice("application/json", " \n"+object), true}, "no status": {notice(formType, strings.Replace(form, "transactionStatus=Y&", "", 1)), false},
		"a number that is no identifier": {notice(formType, "paymentId=a%2Fb&merchantTransactionId=00001&amount=50.00&transactionStatus=Y&checksum="+p.client.signResult("a/b", "00001", "50.00", "Y")), false},
		"no payment":                     {notice(formType, "merchantTransactionId=00001&amount=50.00&transactionStatus=Y&checksum="+p.client.signResult("", "00001", "50.00", "Y")), false},
		"a status of another kind":       {notice(formType, "paymentId=54289&merchantTransactionId=00001&amount=50.00&transactionStatus=Q&checksum="+p.client.signResult("54289", "00001", "50.00", "Q")), false},
	} {
		n, err := p.Notified(c.r)
		if c.taken && (err != nil || n.Reference != "00001" || n.OrderID != "54289" || n.Event != "Y") || !c.taken && (!errors.Is(err, providers.ErrForged) || n != (providers.Notice{})) {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
	// Found by the platform's own number: the checksum covers nothing in the place of ours.
	unnamed := "paymentId=54289&amount=50.00&transactionStatus=Y&checksum="
	if n, err := p.Notified(notice(formType, unnamed+p.client.signResult("54289", "", "50.00", "Y"))); err != nil || n.Reference != "" || n.OrderID != "54289" {
		t.Errorf("no number of ours: %+v %v", n, err)
	}
	if n, err := p.Notified(notice(formType, unnamed+p.client.signResult("54288", "", "50.00", "Y"))); !errors.Is(err, providers.ErrForged) {
		t.Errorf("no number of ours, of another payment: %+v %v", n, err)
	}
	if n, err := p.Notified(notice(formType, form+"&status="+strings.Repeat("s", 51))); err != nil || n.Event != strings.Repeat("s", 50) {
		t.Errorf("a long status: %+v %v", n, err)
	}
}

// What a browser brings back may come under names in capitals and small letters; then both say the same.
func TestTwoSpellingsOfAParameterAreReadAlike(t *testing.T) {
	p := testProvider(t, nil)
	for range 20 { // in whatever order they are met
		fields := map[string]string{
			"trackingid": "54289", "desc": "00001", "amount": "50.00", "status": "Y", "checksum": p.client.signResult("54289", "00001", "50.00", "Y"), "Amount": " 50.00",
		}
		if n, ok := p.checksumValid(fields); !ok || n.OrderID != "54289" {
			t.Fatalf("the same twice: %+v %v", n, ok)
		}
		fields["Amount"] = "51.00"
		if n, ok := p.checksumValid(fields); ok || n != (providers.Notice{}) {
			t.Fatalf("two amounts: %+v %v", n, ok)
		}
	}
}
