package templates

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/i18n"
)

// nature is what a field of a view model is to an outline.
type nature int

const (
	unlisted   nature = iota // must be empty, or the page is drawn anew
	same                     // decides how the page looks: it is a part of what the outline is found by
	own                      // a value of one payment or browser, which pages write as it is; that it is there is a part of it as well
	ownAddress               // likewise, and passed by webURL
	ownLong                  // likewise, and shown in another way where isLong says so
	ownSeconds               // likewise, and shown as a clock too
	language
	inside  // a struct
	behind  // a pointer to one
	several // a slice of them
	many    // a slice of ownAddress
)

// listed says of a view model's fields what they are. What is written here as own must be written by the templ as it is, and asked
// by it for nothing but whether it is empty. A field in no list makes no outline unless it is empty, which is what becomes of a
// new one: list it, and the tests say whether it may be.
type listed struct {
	of                                         any
	same, own, ownAddress, ownLong, ownSeconds string
}

func lists() []listed {
	return []listed{
		{of: Layout{}, same: "MerchantName TextLang Converts Refresh", own: "Nonce AmountText OrderText EmbedOrigin", ownLong: "Description",
			ownAddress: "Self"},
		{of: Look{}, same: "SheetURL LogoURL LogoWidth LogoHeight LightGround DarkGround Title Note Email Phone PhoneURL Address Terms Privacy Refunds"},
		{of: Item{}, own: "Name QuantityText SumText DiscountText TaxText"},
		{of: Transfer{}, own: "SumText FeeText ToLast4"},
		{of: Exit{}, own: "CSRF", ownAddress: "OtherAction CancelAction ShopURL"},
		{of: Brand{}, same: "ID Name Lang"},
		{of: CardErrors{}, same: "Number Expiry CVC Name To"},
		{of: Field{}, own: "Name Value"},
		{of: CardPage{}, same: "Decline TaskBits Prove AttemptsLeft Systems", own: "CSRF Expiry Name Task AskLast4",
			ownAddress: "Action CancelAction SavedAction", ownSeconds: "Left"},
		{of: Choice{}, same: "PhoneField Wrong", own: "Phone"},
		{of: Way{}, same: "ID"},
		{of: MethodPage{}, same: "Deadline", own: "ID", ownAddress: "Frames EventsURL Next"},
		{of: MethodFramePage{}, own: "Nonce", ownAddress: "Action"},
		{of: MethodDonePage{}, own: "Nonce ID Origin"},
		{of: ChallengePage{}, own: "Info", ownAddress: "Action EventsURL"},
		{of: LeavePage{}, own: "Info", ownAddress: "URL EventsURL"},
		{of: ReturnTopPage{}, own: "Nonce", ownAddress: "PayURL"},
		{of: ToTopPage{}, ownAddress: "PayURL"},
		{of: WaitPage{}, same: "Reason", ownAddress: "EventsURL Next"},
		{of: ResultPage{}, same: "Outcome Decline Delay", ownAddress: "ContinueURL"},
		{of: ReceiptMail{}, same: "Sent", own: "CSRF Email", ownAddress: "Action"},
		{of: Receipt{}, own: "AmountText TakenText RefundedText LeftText Last4 ReferenceText ApprovalText"},
		{of: StartPage{}, same: "Error Decline", own: "CSRF Phone", ownAddress: "Action CancelAction", ownSeconds: "Left"},
		{of: SavedOfferPage{}, same: "Decline", own: "CSRF", ownAddress: "Action CancelAction NewCard"},
		{of: LoginPhonePage{}, same: "Error", own: "CSRF Phone RememberedText",
			ownAddress: "Action CancelAction RememberedAction ForgetAction KnownAction"},
		{of: LoginCodePage{}, same: "Error", own: "CSRF PhoneText", ownAddress: "Action CancelAction AgainAction OtherAction"},
		{of: ProblemPage{}, own: "RequestID", ownAddress: "Retry"},
		{of: LimitedPage{}, same: "Minutes", ownAddress: "Retry"},
		{of: SealStartPage{}, same: "Decline", own: "CSRF", ownAddress: "Action CancelAction", ownSeconds: "Left"},
	}
}

// fields are those of a struct.
type fields struct {
	id  byte // of a page's view model
	all []fieldOf
}

type fieldOf struct {
	index  int
	nature nature
	kind   reflect.Kind
	of     *fields // of inside, behind, several
}

func newFields(t reflect.Type) *fields {
	natures := map[string]nature{}
	for _, l := range lists() {
		if reflect.TypeOf(l.of) == t {
			for is, names := range map[nature]string{same: l.same, own: l.own, ownAddress: l.ownAddress, ownLong: l.ownLong, ownSeconds: l.ownSeconds} {
				for name := range strings.FieldsSeq(names) {
					natures[name] = is
				}
			}
		}
	}
	f := &fields{}
	for i := range t.NumField() {
		in := t.Field(i)
		one := fieldOf{index: i, nature: natures[in.Name], kind: in.Type.Kind()}
		element := func() { one.of = newFields(in.Type.Elem()) }
		switch k := in.Type.Kind(); {
		case in.Type == reflect.TypeFor[*i18n.Localizer]():
			one.nature = language
		case in.Type == reflect.TypeFor[time.Time]():
		case k == reflect.Struct:
			one.nature, one.of = inside, newFields(in.Type)
		case k == reflect.Pointer && in.Type.Elem().Kind() == reflect.Struct:
			one.nature = behind
			element()
		case k == reflect.Slice && in.Type.Elem().Kind() == reflect.Struct:
			one.nature = several
			element()
		case k == reflect.Slice && one.nature == ownAddress:
			one.nature = many
		case k == reflect.Bool:
			one.nature = same
		}
		f.all = append(f.all, one)
	}
	return f
}

// reading is a view model taken apart.
type reading struct {
	same []byte   // what its outline is found by
	own  []string // what is filled in
}

// read takes a view model apart; false where it makes no outline.
func (r *reading) read(f *fields, model reflect.Value) bool {
	r.same, r.own = append(r.same[:0], f.id), r.own[:0]
	return r.fields(f, model)
}

func (r *reading) fields(f *fields, in reflect.Value) bool {
	for i := range f.all {
		f := &f.all[i]
		v := in.Field(f.index)
		switch f.nature {
		case unlisted:
			if !v.IsZero() {
				return false
			}
		case same:
			switch f.kind {
			case reflect.String:
				s := v.String()
				r.same = append(binary.AppendUvarint(r.same, uint64(len(s))), s...)
			case reflect.Bool:
				r.there(v.Bool())
			case reflect.Int, reflect.Int64:
				r.same = binary.AppendVarint(r.same, v.Int())
			default:
				return false
			}
		case ownSeconds:
			n := v.Int()
			if r.there(n > 0); n > 0 {
				r.own = append(r.own, strconv.FormatInt(n, 10), minutes(int(n)))
			}
		case ownLong:
			r.there(isLong(v.String()))
			r.value(v.String())
		case own:
			r.value(v.String())
		case ownAddress:
			if !r.address(v.String()) {
				return false
			}
		case many:
			r.same = binary.AppendUvarint(r.same, uint64(v.Len()))
			for i := range v.Len() {
				if !r.address(v.Index(i).String()) {
					return false
				}
			}
		case language:
			t, _ := v.Interface().(*i18n.Localizer)
			if t == nil || !t.Verbatim() {
				return false
			}
			r.same = append(append(r.same, t.Lang()...), 0)
		case inside:
			if !r.fields(f.of, v) {
				return false
			}
		case behind:
			if r.there(!v.IsNil()); !v.IsNil() && !r.fields(f.of, v.Elem()) {
				return false
			}
		case several:
			r.same = binary.AppendUvarint(r.same, uint64(v.Len()))
			for i := range v.Len() {
				if !r.fields(f.of, v.Index(i)) {
					return false
				}
			}
		}
	}
	return true
}

func (r *reading) value(s string) {
	if r.there(s != ""); s != "" {
		r.own = append(r.own, s)
	}
}

// address is a value, unless it is one that pages do not write.
func (r *reading) address(s string) bool {
	r.value(s)
	return string(webURL(s)) == s
}

func (r *reading) there(is bool) {
	if is {
		r.same = append(r.same, 1)
	} else {
		r.same = append(r.same, 0)
	}
}

// open puts places where the values of a view model are, which is the caller's to change; n counts them.
func (f *fields) open(in reflect.Value, n *int) {
	for _, f := range f.all {
		v := in.Field(f.index)
		switch f.nature {
		case own, ownAddress, ownLong:
			if s := v.String(); s != "" {
				v.SetString(place(*n, f.nature == ownLong && isLong(s)))
				*n++
			}
		case ownSeconds:
			if v.Int() > 0 {
				v.SetInt(int64(openSeconds + *n))
				*n += 2
			}
		case inside:
			f.of.open(v, n)
		case behind:
			if !v.IsNil() {
				fresh := reflect.New(v.Type().Elem())
				fresh.Elem().Set(v.Elem())
				v.Set(fresh)
				f.of.open(v.Elem(), n)
			}
		case several, many:
			fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(fresh, v)
			v.Set(fresh)
			for i := range v.Len() {
				if f.nature == several {
					f.of.open(fresh.Index(i), n)
				} else if fresh.Index(i).String() != "" {
					fresh.Index(i).SetString(place(*n, false))
					*n++
				}
			}
		}
	}
}

// place is the place of a value.
func place(n int, long bool) string {
	longer := ""
	if long {
		longer = strings.Repeat(string(placeLonger), longText)
	}
	return string(placeBegin) + strconv.Itoa(n) + longer + string(placeEnd)
}

// openSeconds and more are no seconds, but the place of a number and, after it, that of a clock.
const openSeconds = 1 << 30

// seconds writes a number of seconds.
func seconds(n int) string {
	if n >= openSeconds {
		return place(n-openSeconds, false)
	}
	return strconv.Itoa(n)
}

// minutes writes a time as a clock does.
func minutes(seconds int) string {
	if seconds >= openSeconds {
		return place(seconds-openSeconds+1, false)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}
