package rbs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (g *Gateway) statusExtended(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	return extended(o), nil
}

// extended is an order as getOrderStatusExtended.do and the list of orders show it.
func extended(o *order) body {
	t := o.Try
	b := body{}.With("errorCode", "0").With("errorMessage", "Success").With("orderNumber", o.Number).With("orderStatus", o.Status).
		With("actionCode", o.Action).With("actionCodeDescription", actionText[o.Action]).With("amount", o.Amount).
		With("currency", o.Currency).
		With("date", o.Created.UnixMilli()).With("orderDescription", o.Description).Opt("ip", o.IP)
	params := append([]param{{"browser_language_param", o.Language}}, o.Params...)
	b = b.With("merchantOrderParams", params).With("transactionAttributes", []any{}).
		With("attributes", []param{{"mdOrder", o.ID}})
	if t != nil {
		b = b.With("cardAuthInfo", cardAuthInfo(o))
		if t.Binding != "" && !o.Paid.IsZero() {
			b = b.With("bindingInfo", body{}.With("clientId", o.ClientID).With("bindingId", t.Binding))
		}
	}
	if !o.Paid.IsZero() {
		b = b.With("authDateTime", o.Paid.UnixMilli())
	}
	b = b.With("terminalId", "123456")
	if t != nil {
		b = b.Opt("authRefNum", t.RefNum)
	}
	b = b.With("paymentAmountInfo", body{}.With("paymentState", o.paymentState()).With("approvedAmount", o.Approved).
		With("depositedAmount", o.Deposited-o.Refunded).With("refundedAmount", o.Refunded).With("totalAmount", o.Amount+o.Fee)).
		With("bankInfo", body{}.With("bankCountryCode", "UNKNOWN").With("bankCountryName", "&ltUnknown&gt"))
	for _, d := range []struct {
		name string
		at   time.Time
	}{{"depositedDate", o.DepositedAt}, {"refundedDate", o.RefundedAt}, {"reversedDate", o.ReversedAt}} {
		if !d.at.IsZero() {
			b = b.With(d.name, d.at.UnixMilli())
		}
	}
	if o.Chargeback != nil {
		b = b.With("chargeback", *o.Chargeback)
	}
	if len(o.Refunds) > 0 {
		list := []body{}
		for _, r := range o.Refunds {
			list = append(list, body{}.With("date", r.At.UTC().Format(time.DateTime)).Opt("externalRefundId", r.ExternalID).
				With("approvalCode", r.Approval).With("actionCode", "000").With("referenceNumber", r.RefNum).With("amount", r.Amount))
		}
		b = b.With("refunds", list)
	}
	if t != nil {
		way := "CARD"
		if t.Binding != "" && o.has("AUTO_PAYMENT") {
			way = "CARD_BINDING"
		}
		b = b.With("paymentWay", cmp.Or(o.Wallet, way))
	}
	return b
}

// listStates are the order states of getLastOrdersForMerchants.do by orderStatus.
var listStates = map[int]string{0: "CREATED", 1: "APPROVED", 2: "DEPOSITED", 3: "REVERSED", 4: "REFUNDED", 5: "CREATED", 6: "DECLINED"}

const listStamp = "20060102150405"

// lastOrders is getLastOrdersForMerchants.do: the merchant's orders of a time, by pages that are counted from 0.
func (g *Gateway) lastOrders(c *call) (body, *fault) {
	span := [2]time.Time{}
	for i, name := range []string{"from", "to"} {
		at, err := time.Parse(listStamp, c.form.Get(name))
		if err != nil {
			return nil, missing(name)
		}
		span[i] = at
	}
	size, err := strconv.Atoi(c.form.Get("size"))
	page, pageErr := strconv.Atoi(cmp.Or(c.form.Get("page"), "0"))
	wanted := strings.Split(c.form.Get("transactionStates"), ",")
	switch {
	case err != nil || size < 1 || size > 200:
		return nil, missing("size")
	case pageErr != nil || page < 0:
		return nil, missing("page")
	case wanted[0] == "":
		return nil, missing("transactionStates")
	}
	found := []body{}
	for o := range g.orders.All() {
		if _, bad := g.checkOwner(c, o); bad == nil && !o.Created.Before(span[0]) && !o.Created.After(span[1]) &&
			slices.Contains(wanted, listStates[o.Status]) {
			found = append(found, extended(o))
		}
	}
	from := min(page*size, len(found))
	return body{}.With("errorCode", "0").With("errorMessage", "Success").
		With("orderStatuses", found[from:min(from+size, len(found))]).
		With("totalCount", len(found)).With("page", page).With("pageSize", size), nil
}

func cardAuthInfo(o *order) body {
	t := o.Try
	b := body{}.With("maskedPan", t.Masked).With("expiration", t.Expiry).Opt("cardholderName", t.Holder).
		Opt("approvalCode", t.Approval).
		With("pan", t.Masked).With("paymentSystem", t.System)
	if t.Version == "" {
		return b
	}
	s := body{}
	if eci, err := strconv.Atoi(t.ECI); err == nil {
		s = s.With("eci", eci)
	}
	s = s.With("threeDSProtocolVersion", t.Version).Opt("aresTransStatus", t.ARes).Opt("rreqTransStatus", t.RReq).
		Opt("paResStatus", t.PaRes)
	if t.CAVV != "" || t.XID != "" {
		s = s.With("threeDSInfo", body{}.Opt("cavv", t.CAVV).Opt("xid", t.XID))
	}
	return b.With("secureAuthInfo", s)
}

// statusOld is getOrderStatus.do, with its capitalised names.
func (g *Gateway) statusOld(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	return oldStatus(o), nil
}

func oldStatus(o *order) body {
	b := body{}
	if t := o.Try; t != nil {
		b = b.Opt("expiration", t.Expiry).Opt("cardholderName", t.Holder)
	}
	b = b.With("depositAmount", o.Deposited-o.Refunded).With("currency", o.Currency)
	if t := o.Try; t != nil {
		b = b.Opt("approvalCode", t.Approval)
	}
	b = b.With("authCode", 2).Opt("clientId", o.ClientID)
	if t := o.Try; t != nil && !o.Paid.IsZero() {
		b = b.Opt("bindingId", t.Binding)
	}
	b = b.With("ErrorCode", "0").With("ErrorMessage", "Success").With("OrderStatus", o.Status).With("OrderNumber", o.Number)
	if t := o.Try; t != nil {
		b = b.Opt("Pan", t.Masked)
	}
	b = b.With("Amount", o.Amount)
	if o.IP != "" {
		b = b.With("Ip", o.IP)
	}
	return b
}
