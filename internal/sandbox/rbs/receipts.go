package rbs

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cart is what an order's orderBundle says is bought. One with a version of the fiscal data format gets receipts.
type cart struct {
	FFD   string     `json:"ffd,omitempty"`
	Items []cartItem `json:"items"`
}

type cartItem struct {
	Position string `json:"position"`
	Name     string `json:"name"`
	Quantity string `json:"quantity"` // decimal
	Measure  string `json:"measure,omitempty"`
	Price    int64  `json:"price"`
	Amount   int64  `json:"amount"`
	Tax      string `json:"tax,omitempty"` // the number of a tax rate
	Method   string `json:"method,omitempty"`
	Object   string `json:"object,omitempty"`
}

// receipt is a fiscal receipt of an order. It is delivered some seconds after it was sent.
type receipt struct {
	UUID   string     `json:"uuid"`
	At     time.Time  `json:"at"`
	Refund bool       `json:"refund,omitempty"`
	Amount int64      `json:"amount"`
	Items  []cartItem `json:"items"`
}

// receiptDelay is how long the cash register of the sandbox takes; an item of failingItem's name makes it fail.
const (
	receiptDelay = 5 * time.Second
	failingItem  = "RECEIPT FAILS"
)

func errCart(what string) *fault { return refuse(8, "Cart mismatch: "+what) }

// wireItem is a line of a cart as it is written; numbers may be written as text.
type wireItem struct {
	PositionID any    `json:"positionId"`
	Name       string `json:"name"`
	Quantity   struct {
		Value   any    `json:"value"`
		Measure string `json:"measure"`
	} `json:"quantity"`
	MeasurementUnit string `json:"measurementUnit"`
	ItemAmount      any    `json:"itemAmount"`
	ItemPrice       any    `json:"itemPrice"`
	Tax             struct {
		TaxType any `json:"taxType"`
	} `json:"tax"`
	PaymentMethod  string `json:"paymentMethod"`
	PaymentObject  string `json:"paymentObject"`
	ItemAttributes struct {
		Attributes []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"attributes"`
	} `json:"itemAttributes"`
}

func decodeCart(text string, to any) bool {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(to) == nil
}

// readBundle reads orderBundle and checks it against the order's amount.
func readBundle(text string, amount int64) (*cart, *fault) {
	if text == "" {
		return nil, nil
	}
	var w struct {
		FFD       any `json:"ffdVersion"`
		CartItems struct {
			Items []wireItem `json:"items"`
		} `json:"cartItems"`
		Total any `json:"total"`
	}
	if !decodeCart(text, &w) {
		return nil, refuse(4, "[orderBundle] is malformed")
	}
	c := &cart{}
	if w.FFD != nil {
		c.FFD = jsonText(w.FFD)
	}
	if c.FFD != "" && c.FFD != "1.05" && c.FFD != "1.2" {
		return nil, errCart("ffdVersion [" + c.FFD + "] is unknown")
	}
	var bad *fault
	if c.Items, bad = readItems(w.CartItems.Items, c.FFD); bad != nil {
		return nil, bad
	}
	if sum(c.Items) != amount {
		return nil, errCart("the sum of the items differs from the order's amount")
	}
	if total, ok := whole(w.Total); w.Total != nil && (!ok || total != amount) {
		return nil, errCart("total differs from the order's amount")
	}
	return c, nil
}

// readParts reads depositItems or refundItems: some of the items that are left, worth the amount. An order with receipts needs
// them for a part of what is left.
func readParts(o *order, text string, amount, rest int64, left []cartItem) ([]cartItem, *fault) {
	switch {
	case o.Cart == nil:
		return nil, nil
	case text == "" && amount == rest:
		return left, nil
	case text == "" && o.Cart.FFD != "":
		return nil, errCart("the items of a part are missing")
	case text == "":
		return nil, nil
	}
	var w struct {
		Items     []wireItem `json:"items"`
		CartItems struct {
			Items []wireItem `json:"items"`
		} `json:"cartItems"`
	}
	if !decodeCart(text, &w) {
		return nil, refuse(4, "[items] is malformed")
	}
	items, bad := readItems(append(w.Items, w.CartItems.Items...), o.Cart.FFD)
	if bad != nil {
		return nil, bad
	}
	if sum(items) != amount {
		return nil, errCart("the sum of the items differs from the amount")
	}
	for _, item := range items {
		i := slices.IndexFunc(left, func(l cartItem) bool { return l.Position == item.Position })
		if i < 0 || decimal(left[i].Quantity).Cmp(decimal(item.Quantity)) < 0 || left[i].Amount < item.Amount {
			return nil, errCart("more of position [" + item.Position + "] than there is")
		}
	}
	return items, nil
}

// remaining is what is left of the items without those that are done.
func remaining(items, done []cartItem) []cartItem {
	left := slices.Clone(items)
	for _, d := range done {
		for i := range left {
			if left[i].Position == d.Position {
				left[i].Amount -= d.Amount
				left[i].Quantity = trimmed(new(big.Rat).Sub(decimal(left[i].Quantity), decimal(d.Quantity)))
			}
		}
	}
	return slices.DeleteFunc(left, func(i cartItem) bool { return i.Amount <= 0 })
}

func trimmed(r *big.Rat) string {
	s := strings.TrimRight(r.FloatString(3), "0")
	return strings.TrimSuffix(s, ".")
}

func decimal(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return new(big.Rat)
	}
	return r
}

func sum(items []cartItem) (n int64) {
	for _, i := range items {
		n += i.Amount
	}
	return n
}

func readItems(list []wireItem, ffd string) ([]cartItem, *fault) {
	if len(list) == 0 {
		return nil, errCart("no items")
	}
	var items []cartItem
	for _, w := range list {
		item, bad := readItem(w, ffd)
		if bad != nil {
			return nil, bad
		}
		if slices.ContainsFunc(items, func(i cartItem) bool { return i.Position == item.Position }) {
			return nil, errCart("position [" + item.Position + "] comes twice")
		}
		items = append(items, item)
	}
	return items, nil
}

func readItem(w wireItem, ffd string) (cartItem, *fault) {
	i := cartItem{Position: jsonText(w.PositionID), Name: w.Name, Measure: w.Quantity.Measure, Method: w.PaymentMethod,
		Object: w.PaymentObject}
	for _, a := range w.ItemAttributes.Attributes {
		switch a.Name {
		case "paymentMethod":
			i.Method = jsonText(a.Value)
		case "paymentObject":
			i.Object = jsonText(a.Value)
		}
	}
	if w.Tax.TaxType != nil {
		i.Tax = jsonText(w.Tax.TaxType)
	}
	var quantity *big.Rat
	if w.Quantity.Value != nil {
		i.Quantity = jsonText(w.Quantity.Value)
		quantity = decimal(i.Quantity)
	}
	_, fraction, _ := strings.Cut(i.Quantity, ".")
	price, priced := whole(w.ItemPrice)
	amount, summed := whole(w.ItemAmount)
	switch {
	case w.PositionID == nil || i.Position == "":
		return i, errCart("positionId is missing")
	case i.Name == "" || len([]rune(i.Name)) > 255:
		return i, errCart("name of position [" + i.Position + "] is missing or too long")
	case quantity == nil || quantity.Sign() <= 0 || len(fraction) > 3:
		return i, errCart("quantity of position [" + i.Position + "]")
	case i.Measure == "" && w.MeasurementUnit == "":
		return i, errCart("measure of position [" + i.Position + "] is missing")
	case !priced && !summed:
		return i, errCart("price of position [" + i.Position + "] is missing")
	case priced && price < 0 || summed && amount < 0:
		return i, errCart("price of position [" + i.Position + "] is negative")
	}
	product := new(big.Rat).Mul(quantity, new(big.Rat).SetInt64(price))
	if !summed {
		if !product.IsInt() {
			return i, errCart("itemAmount of position [" + i.Position + "] is missing")
		}
		amount = product.Num().Int64()
	}
	if difference := product.Sub(product, new(big.Rat).SetInt64(amount)); priced && difference.Abs(difference).Cmp(big.NewRat(1, 1)) >= 0 {
		return i, errCart("itemAmount of position [" + i.Position + "] is not itemPrice * quantity")
	}
	i.Price, i.Amount = price, amount
	if ffd != "" {
		if bad := fiscalFaults(i, ffd); bad != nil {
			return i, bad
		}
	}
	return i, nil
}

// taxNames are the tax rates of receipts by their numbers in tax.taxType.
var taxNames = map[string]string{"0": "NONE", "1": "VAT_0", "2": "VAT_10", "3": "VAT_18", "4": "VAT_10_110", "5": "VAT_18_118",
	"6": "VAT_20", "7": "VAT_20_120", "10": "VAT_5", "11": "VAT_5_105", "12": "VAT_7", "13": "VAT_7_107", "14": "VAT_22",
	"15": "VAT_22_122"}

// fiscalFaults is what the cash register refuses in a line.
func fiscalFaults(i cartItem, ffd string) *fault {
	switch {
	case i.Method == "":
		return errCart("paymentMethod of position [" + i.Position + "] is missing")
	case i.Object == "":
		return errCart("paymentObject of position [" + i.Position + "] is missing")
	case taxNames[i.Tax] == "":
		return errCart("tax of position [" + i.Position + "]")
	case ffd == "1.2" && strings.Trim(i.Measure, "0123456789") != "":
		return errCart("measure of position [" + i.Position + "] is not a code")
	}
	return nil
}

// whole reads minor units, as a number or as text.
func whole(v any) (int64, bool) {
	if v == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(jsonText(v), 10, 64)
	return n, err == nil
}

// issue makes the receipt of a deposit or a refund.
func (g *acquirer) issue(o *order, refund bool, amount int64, items []cartItem) {
	if o.Cart == nil || o.Cart.FFD == "" {
		return
	}
	o.Receipts = append(o.Receipts, receipt{UUID: g.env.UUID(), At: g.now(), Refund: refund, Amount: amount, Items: items})
}

// unrefunded are the items that were sold and not given back: of the whole cart, or of what was captured of it.
func (o *order) unrefunded() []cartItem {
	if o.Cart == nil {
		return nil
	}
	sold, back := o.Cart.Items, []cartItem(nil)
	for _, r := range o.Receipts {
		if r.Refund {
			back = append(back, r.Items...)
		} else {
			sold = r.Items
		}
	}
	return remaining(sold, back)
}

// receiptState is 0 sent, 1 delivered, 2 failed.
func (g *registry) receiptState(r receipt) int {
	switch {
	case slices.ContainsFunc(r.Items, func(i cartItem) bool { return i.Name == failingItem }):
		return 2
	case g.now().Sub(r.At) < receiptDelay:
		return 0
	}
	return 1
}

// receiptOrder finds the order that getReceiptStatus.do names, and the receipt if it names one.
func (g *registry) receiptOrder(c *call) (o *order, uuid string, bad *fault) {
	if uuid = c.form.Get("uuid"); uuid != "" {
		for one := range g.orders.All() {
			if one.Account == c.acc.UserName && slices.ContainsFunc(one.Receipts, func(r receipt) bool { return r.UUID == uuid }) {
				return one, uuid, nil
			}
		}
		return nil, "", errNoOrder
	}
	o, bad = g.orderOf(c)
	return o, "", bad
}

// receiptStatus is getReceiptStatus.do.
func (g *registry) receiptStatus(c *call) (body, *fault) {
	o, uuid, bad := g.receiptOrder(c)
	if bad != nil {
		return nil, bad
	}
	list := []body{}
	for n, r := range o.Receipts {
		if uuid != "" && r.UUID != uuid {
			continue
		}
		state := g.receiptState(r)
		if r.Refund {
			state += 3 // 3 sent, 4 delivered, 5 failed
		}
		b := body{}.With("receiptStatus", state).With("uuid", r.UUID)
		if state == 1 || state == 4 {
			number := strconv.Itoa(n + 1)
			b = b.With("shift_number", "27").With("fiscal_receipt_number", number).
				With("receipt_date_time", r.At.Add(receiptDelay).UnixMilli()).
				With("fn_number", "9999078900006364").With("ecr_registration_number", "1234567890023481").
				With("fiscal_document_number", number).With("fiscal_document_attribute", "3713381819")
		}
		list = append(list, b.With("amount_total", r.Amount).With("ofdOrderBundle", ofdItems(r.Items)))
	}
	return body{}.With("errorCode", "0").With("orderNumber", o.Number).With("orderId", o.ID).With("receipt", list), nil
}

func ofdItems(items []cartItem) []body {
	list := []body{}
	for _, i := range items {
		list = append(list, body{}.With("taxType", taxNames[i.Tax]).With("name", i.Name).With("itemAmount", i.Amount).
			With("itemPrice", i.Price).With("quantity", body{}.With("value", i.Quantity).With("measure", i.Measure)).
			With("itemAttributes", []body{body{}.With("name", "paymentMethod").With("value", i.Method),
				body{}.With("name", "paymentObject").With("value", i.Object)}))
	}
	return list
}

// partnerReceipts is the JSON dialect's getReceiptStatus, which answers with HTTP states.
func (g *registry) partnerReceipts(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	say := func(status int, answer body) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		raw, _ := answer.MarshalJSON()
		w.WriteHeader(status)
		_, _ = w.Write(append(bytes.TrimSpace(raw), '\n')) // a failed write means that the client is gone
	}
	form, bad, err := partnerDialect.read(r, "getReceiptStatus")
	if err != nil || bad != nil || r.Method != http.MethodPost {
		say(http.StatusBadRequest, body{}.With("message", "Неверный формат запроса"))
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	acc, bad := g.account(form)
	if bad != nil {
		say(http.StatusUnauthorized, body{}.With("message", "Доступ запрещён"))
		return
	}
	form.Set("uuid", form.Get("receiptId"))
	o, uuid, bad := g.receiptOrder(&call{&g.acquirer, acc, form, r, partnerDialect})
	if bad != nil || len(o.Receipts) == 0 {
		say(http.StatusNotFound, body{}.With("message", "Чек не найден"))
		return
	}
	list := []body{}
	for n, one := range o.Receipts {
		if uuid != "" && one.UUID != uuid {
			continue
		}
		kind, operation := "sell", "AUTHORIZATION"
		if one.Refund {
			kind, operation = "sell_refund", "REFUND"
		}
		at := one.At.Add(receiptDelay).UTC().Format("02.01.2006 15:04:05")
		list = append(list, body{}.With("receiptId", one.UUID).With("operationType", operation).With("receiptType", kind).
			With("receiptStatus", 2+g.receiptState(one)).With("timestamp", at).
			With("payload", body{}.With("fiscalReceiptNumber", n+1).With("shiftNumber", 27).With("receiptDatetime", at).
				With("total", one.Amount).With("fnNumber", "9999078902013948").With("ecrRegistrationNumber", "0000000005035122").
				With("fiscalDocumentNumber", n+1).With("fiscalDocumentAttribute", 1837776948)))
	}
	say(http.StatusOK, body{}.With("orderId", o.ID).With("orderNumber", o.Number).With("receipts", list))
}
