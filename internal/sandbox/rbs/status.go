package rbs

import (
	"strconv"
	"time"
)

func (g *Gateway) statusExtended(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	t := o.Try
	b := body{}.with("errorCode", "0").with("errorMessage", "Success").with("orderNumber", o.Number).with("orderStatus", o.Status).
		with("actionCode", o.Action).with("actionCodeDescription", actionText[o.Action]).with("amount", o.Amount).with("currency", o.Currency).
		with("date", o.Created.UnixMilli()).with("orderDescription", o.Description).opt("ip", o.IP)
	params := append([]param{{"browser_language_param", o.Language}}, o.Params...)
	b = b.with("merchantOrderParams", params).with("transactionAttributes", []any{}).
		with("attributes", []param{{"mdOrder", o.ID}})
	if t != nil {
		b = b.with("cardAuthInfo", cardAuthInfo(o))
		if t.Binding != "" && !o.Paid.IsZero() {
			b = b.with("bindingInfo", body{}.with("clientId", o.ClientID).with("bindingId", t.Binding))
		}
	}
	if !o.Paid.IsZero() {
		b = b.with("authDateTime", o.Paid.UnixMilli())
	}
	b = b.with("terminalId", "123456")
	if t != nil {
		b = b.opt("authRefNum", t.RefNum)
	}
	b = b.with("paymentAmountInfo", body{}.with("paymentState", o.paymentState()).with("approvedAmount", o.Approved).
		with("depositedAmount", o.Deposited-o.Refunded).with("refundedAmount", o.Refunded).with("totalAmount", o.Amount)).
		with("bankInfo", body{}.with("bankCountryCode", "UNKNOWN").with("bankCountryName", "&ltUnknown&gt"))
	for _, d := range []struct {
		name string
		at   time.Time
	}{{"depositedDate", o.DepositedAt}, {"refundedDate", o.RefundedAt}, {"reversedDate", o.ReversedAt}} {
		if !d.at.IsZero() {
			b = b.with(d.name, d.at.UnixMilli())
		}
	}
	if len(o.Refunds) > 0 {
		list := []body{}
		for _, r := range o.Refunds {
			list = append(list, body{}.with("date", r.At.UTC().Format(time.DateTime)).opt("externalRefundId", r.ExternalID).
				with("approvalCode", r.Approval).with("actionCode", "000").with("referenceNumber", r.RefNum).with("amount", r.Amount))
		}
		b = b.with("refunds", list)
	}
	if t != nil {
		way := "CARD"
		if t.Binding != "" && o.has("AUTO_PAYMENT") {
			way = "CARD_BINDING"
		}
		b = b.with("paymentWay", way)
	}
	return b, nil
}

func cardAuthInfo(o *order) body {
	t := o.Try
	b := body{}.with("maskedPan", t.Masked).with("expiration", t.Expiry).opt("cardholderName", t.Holder).opt("approvalCode", t.Approval).
		with("pan", t.Masked).with("paymentSystem", t.System)
	if t.Version == "" {
		return b
	}
	s := body{}
	if eci, err := strconv.Atoi(t.ECI); err == nil {
		s = s.with("eci", eci)
	}
	s = s.with("threeDSProtocolVersion", t.Version).opt("aresTransStatus", t.ARes).opt("rreqTransStatus", t.RReq).opt("paResStatus", t.PaRes)
	if t.CAVV != "" || t.XID != "" {
		s = s.with("threeDSInfo", body{}.opt("cavv", t.CAVV).opt("xid", t.XID))
	}
	return b.with("secureAuthInfo", s)
}

// statusOld is getOrderStatus.do, with its capitalised names.
func (g *Gateway) statusOld(c *call) (body, *fault) {
	o, bad := g.orderOf(c)
	if bad != nil {
		return nil, bad
	}
	b := body{}
	if t := o.Try; t != nil {
		b = b.opt("expiration", t.Expiry).opt("cardholderName", t.Holder)
	}
	b = b.with("depositAmount", o.Deposited-o.Refunded).with("currency", o.Currency)
	if t := o.Try; t != nil {
		b = b.opt("approvalCode", t.Approval)
	}
	b = b.with("authCode", 2).opt("clientId", o.ClientID)
	if t := o.Try; t != nil && !o.Paid.IsZero() {
		b = b.opt("bindingId", t.Binding)
	}
	b = b.with("ErrorCode", "0").with("ErrorMessage", "Success").with("OrderStatus", o.Status).with("OrderNumber", o.Number)
	if t := o.Try; t != nil {
		b = b.opt("Pan", t.Masked)
	}
	b = b.with("Amount", o.Amount)
	if o.IP != "" {
		b = b.with("Ip", o.IP)
	}
	return b, nil
}
