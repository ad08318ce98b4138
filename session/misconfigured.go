package session

import (
	"encoding/json"
	"time"

	"tollgate/providers"
)

// tellEvery is how often a merchant is told at most that a gateway refuses an account.
const tellEvery = time.Hour

// tellMisconfigured tells the merchant, where err says so, that the gateway refuses the account itself. a is the attempt that met
// it, nil where it was a login.
func (t *Turn) tellMisconfigured(err error, a *Attempt) {
	f := providers.RefusalOfUs(err)
	if f == nil {
		return
	}
	data := map[string]any{"account": t.S.Account, "gateway_call": f.Op, "code": f.Code, "message": f.Text,
		"session": t.S.ID, "order_id": t.S.OrderID}
	if a != nil {
		data["attempt"], data["reference"] = a.N, a.Ref.Reference
	}
	raw, err := json.Marshal(data)
	if err != nil { // strings and a number
		panic(err)
	}
	t.Change.Notice = &Notice{AccountEvent{
		Merchant: t.S.Merchant, Subject: t.S.Merchant + "." + t.S.Account, Type: EventAccountMisconfigured, At: t.Now, Data: raw,
	}, tellEvery}
}

// TellMisconfigured is tellMisconfigured as a turn of its own: of a login, or another call that changes nothing else.
func (t Logins) TellMisconfigured(err error) error {
	if t.tellMisconfigured(err, nil); t.Change.Notice == nil {
		return ErrNothing
	}
	return nil
}
