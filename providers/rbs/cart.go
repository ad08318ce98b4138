package rbs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

var _ providers.CartTaker = (*provider)(nil)

const opReceipts = "getReceiptStatus.do"

// Ways to write a cart.
const (
	CartAttributes = "attributes" // codes in itemAttributes, depositItems and refundItems: Alfa and older RBS
	CartFields     = "fields"     // members of their own, orderBundle in every call: Sber's newer API
)

// taxSystems are the tax systems of the account's company, by the number of taxSystem.
var taxSystems = []string{"osn", "usn_income", "usn_income_outcome", "envd", "esn", "patent"}

// fiscal are an account's settings about carts and receipts.
type fiscal struct {
	format, ffd, taxSystem, companyEmail, companyINN, companyAddress string
}

// Carts tells what is done with a cart: it is sent where the account says how, and receipts are made of it where it names a format.
func (f fiscal) Carts() providers.CartUse {
	return providers.CartUse{Sent: f.format != "", Receipts: f.format != "" && f.ffd != ""}
}

// checkCart refuses a cart that no receipt can be made of.
func (f fiscal) checkCart(p providers.Payment) error {
	if p.Cart == nil || !f.Carts().Receipts {
		return nil
	}
	for i, item := range p.Cart.Items {
		if item.Tax == "" {
			return providers.Refuse(fmt.Sprintf("cart.items.%d.tax", i), "needed: a receipt is made of it")
		}
	}
	if email(p) == "" && wirePhone(p.Customer.Phone) == "" {
		return providers.Refuse("customer.email", "or a phone is needed: the receipt is sent there")
	}
	return nil
}

// The gateway's numbers of the contract's words.
var (
	taxTypes = map[string]int{"none": 0, "vat0": 1, "vat10": 2, "vat18": 3, "vat10_110": 4, "vat18_118": 5, "vat20": 6, "vat20_120": 7,
		"vat5": 10, "vat5_105": 11, "vat7": 12, "vat7_107": 13, "vat22": 14, "vat22_122": 15}
	unitCodes = map[string]string{"": "0", "piece": "0", "gram": "10", "kilogram": "11", "tonne": "12", "centimetre": "20", "decimetre": "21",
		"metre": "22", "square_centimetre": "30", "square_decimetre": "31", "square_metre": "32", "millilitre": "40", "litre": "41",
		"cubic_metre": "42", "kilowatt_hour": "50", "gigacalorie": "51", "day": "70", "hour": "71", "minute": "72", "second": "73",
		"kilobyte": "80", "megabyte": "81", "gigabyte": "82", "terabyte": "83", "other": "255"}
	unitTexts = map[string]string{"": "шт", "piece": "шт", "gram": "г", "kilogram": "кг", "tonne": "т", "centimetre": "см", "decimetre": "дм",
		"metre": "м", "square_centimetre": "см2", "square_decimetre": "дм2", "square_metre": "м2", "millilitre": "мл", "litre": "л",
		"cubic_metre": "м3", "kilowatt_hour": "кВт*ч", "gigacalorie": "Гкал", "day": "сутки", "hour": "ч", "minute": "мин", "second": "с",
		"kilobyte": "КБ", "megabyte": "МБ", "gigabyte": "ГБ", "terabyte": "ТБ", "other": "ед"}
	objectNumbers = map[string]int{"commodity": 1, "excise": 2, "job": 3, "service": 4, "gambling_bet": 5, "gambling_prize": 6, "lottery": 7,
		"lottery_prize": 8, "intellectual_activity": 9, "payment": 10, "agent_commission": 11, "award": 12, "another": 13, "property_right": 14,
		"non_operating_gain": 15, "insurance_premium": 16, "sales_tax": 17, "resort_fee": 18, "deposit": 19}
)

// Numbers of marked goods in FFD 1.2: with excise and without.
const (
	markedExcise = 31
	marked       = 33
)

type attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type wireItem struct {
	PositionID string `json:"positionId"`
	Name       string `json:"name"`
	Quantity   struct {
		Value   json.Number `json:"value"`
		Measure string      `json:"measure"`
	} `json:"quantity"`
	ItemCode       string          `json:"itemCode"`
	ItemPrice      int64           `json:"itemPrice"`
	ItemAmount     int64           `json:"itemAmount"`
	Tax            *wireTax        `json:"tax,omitempty"`
	PaymentMethod  string          `json:"paymentMethod,omitempty"`
	PaymentObject  string          `json:"paymentObject,omitempty"`
	ItemAttributes *wireAttributes `json:"itemAttributes,omitempty"`
	AgentInfo      *wireAgent      `json:"agentInfo,omitempty"`
	SupplierInfo   *wireSupplier   `json:"supplierInfo,omitempty"`
	Nomenclature   string          `json:"nomenclatureCode,omitempty"`
	MarkCode       *wireMark       `json:"markCode,omitempty"`
	MarkProcessing string          `json:"markProcessingMode,omitempty"`
}

type (
	wireTax struct {
		TaxType int `json:"taxType"`
	}
	wireAttributes struct {
		Attributes []attribute `json:"attributes"`
	}
	wireAgent struct {
		Type string `json:"type"`
	}
	wireSupplier struct {
		Name   string   `json:"name,omitempty"`
		INN    string   `json:"inn,omitempty"`
		Phones []string `json:"phones,omitempty"`
	}
	wireMark struct {
		GS1M string `json:"gs1m"`
	}
	wireItems struct {
		Items []wireItem `json:"items"`
	}
)

type bundle struct {
	FFD             string         `json:"ffdVersion,omitempty"`
	ReceiptType     string         `json:"receiptType,omitempty"`
	Company         *company       `json:"company,omitempty"`
	Payments        []bundlePart   `json:"payments,omitempty"`
	Total           int64          `json:"total,omitempty"`
	CustomerDetails *customerGiven `json:"customerDetails,omitempty"`
	CartItems       wireItems      `json:"cartItems"`
}

type (
	company struct {
		Email   string `json:"email,omitempty"`
		SNO     string `json:"sno,omitempty"`
		INN     string `json:"inn,omitempty"`
		Address string `json:"paymentAddress,omitempty"`
	}
	bundlePart struct {
		Type int   `json:"type"`
		Sum  int64 `json:"sum"`
	}
	customerGiven struct {
		Email string `json:"email,omitempty"`
		Phone string `json:"phone,omitempty"`
	}
)

// cashless is the kind of payment of a receipt's sum.
const cashless = 1

// bundleOf is orderBundle: the whole cart with a registration, parts of it with an operation of the newer API.
func (f fiscal) bundleOf(p providers.Payment, parts []providers.CartPart, receiptType string) string {
	b := bundle{FFD: f.ffd, CartItems: f.items(p.Cart, parts)}
	if given := (customerGiven{email(p), wirePhone(p.Customer.Phone)}); given != (customerGiven{}) {
		b.CustomerDetails = &given
	}
	if f.format == CartFields && f.ffd != "" {
		sum := providers.SumOf(parts)
		b.ReceiptType, b.Total, b.Payments = receiptType, sum, []bundlePart{{cashless, sum}}
		b.Company = &company{f.companyEmail, f.taxSystem, f.companyINN, f.companyAddress}
	}
	return jsonText(b)
}

// setCart writes the cart of a registration.
func (f fiscal) setCart(form url.Values, p providers.Payment) {
	if p.Cart == nil || f.format == "" {
		return
	}
	form.Set("orderBundle", f.bundleOf(p, p.Cart.Parts(), "sell"))
	if f.format == CartAttributes && f.taxSystem != "" {
		form.Set("taxSystem", strconv.Itoa(slices.Index(taxSystems, f.taxSystem)))
	}
}

// setItems writes what of the cart an operation is about.
func (f fiscal) setItems(form url.Values, p providers.Payment, op providers.Op) {
	if p.Cart == nil || len(op.Items) == 0 || f.format == "" {
		return
	}
	name, receiptType := "depositItems", "sell"
	if op.Kind == providers.Refund {
		name, receiptType = "refundItems", "sell_refund"
	}
	if f.format == CartFields {
		form.Set("orderBundle", f.bundleOf(p, op.Items, receiptType))
		return
	}
	form.Set(name, jsonText(f.items(p.Cart, op.Items)))
}

func (f fiscal) items(cart *providers.Cart, parts []providers.CartPart) (out wireItems) {
	seen := map[string]bool{}
	for _, whole := range cart.Parts() { // codes are as they were in the registration, whichever parts an operation is about
		item := cart.Items[whole.Line]
		code := cmp.Or(item.Code, strconv.Itoa(whole.Line+1))
		if seen[code] { // the gateway wants each once
			code += "/" + strconv.Itoa(whole.Position)
		}
		seen[code] = true
		for _, part := range parts {
			if part.Position == whole.Position {
				out.Items = append(out.Items, f.item(item, part, code))
			}
		}
	}
	return out
}

func (f fiscal) item(item providers.CartItem, part providers.CartPart, code string) wireItem {
	w := wireItem{
		PositionID: strconv.Itoa(part.Position), Name: wire.Line(item.Name, 128), ItemCode: code, ItemPrice: part.UnitPrice, ItemAmount: part.Amount,
	}
	w.Quantity.Value, w.Quantity.Measure = json.Number(part.Quantity.String()), unitTexts[item.Unit]
	if f.ffd == "1.2" {
		w.Quantity.Measure = unitCodes[item.Unit]
	}
	if item.Tax != "" {
		w.Tax = &wireTax{taxTypes[item.Tax]}
	}
	if f.ffd == "" {
		return w
	}
	method, object := cmp.Or(item.PaymentMethod, "full_payment"), cmp.Or(item.PaymentObject, "commodity")
	number := objectNumbers[object]
	switch {
	case f.ffd != "1.2" || item.MarkCode == "":
	case object == "commodity":
		number = marked
	case object == "excise":
		number = markedExcise
	}
	if f.format == CartFields {
		w.PaymentMethod, w.PaymentObject = method, object
		if f.ffd == "1.2" {
			w.PaymentObject = strconv.Itoa(number)
		}
		f.addSupplier(&w, item)
		return w
	}
	of := []attribute{{"paymentMethod", strconv.Itoa(slices.Index(providers.CartMethods, method) + 1)}, {"paymentObject", strconv.Itoa(number)}}
	if item.Agent != "" {
		of = append(of, attribute{"agent_info.type", strconv.Itoa(slices.Index(providers.CartAgents, item.Agent) + 1)})
	}
	if s := item.Supplier; s != nil {
		for _, phone := range s.Phones {
			of = append(of, attribute{"supplier_info.phones", phone})
		}
		of = append(of, attribute{"supplier_info.name", s.Name}, attribute{"supplier_info.inn", s.TaxID})
	}
	if item.MarkCode != "" {
		of = append(of, attribute{"nomenclature", item.MarkCode})
	}
	w.ItemAttributes = &wireAttributes{slices.DeleteFunc(of, func(a attribute) bool { return a.Value == "" })}
	return w
}

// addSupplier writes agent, supplier and the mark of goods as members of their own.
func (f fiscal) addSupplier(w *wireItem, item providers.CartItem) {
	if item.Agent != "" {
		w.AgentInfo = &wireAgent{item.Agent}
	}
	if s := item.Supplier; s != nil {
		w.SupplierInfo = &wireSupplier{s.Name, s.TaxID, s.Phones}
	}
	switch {
	case item.MarkCode == "":
	case f.ffd == "1.2":
		w.MarkCode, w.MarkProcessing = &wireMark{base64.StdEncoding.EncodeToString([]byte(item.MarkCode))}, "0"
	default:
		w.Nomenclature = item.MarkCode
	}
}

func jsonText(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// receipts asks what became of the receipts of a payment; nil where that is not known.
func (g *provider) receipts(ctx context.Context, p providers.Payment, ref providers.Ref) (all []providers.Receipt) {
	if p.Cart == nil || !g.Carts().Receipts || ref.OrderID == "" {
		return nil
	}
	o, err := g.call(ctx, opReceipts, url.Values{"orderId": {ref.OrderID}, "language": {g.language(p)}})
	if err != nil {
		return nil // it is told of at the next inquiry
	}
	for _, r := range o.List("receipt") {
		if one, ok := readReceipt(r); ok {
			all = append(all, one)
		}
	}
	return all
}

// readReceipt reads one line of getReceiptStatus.do: 0 to 2 are of a sale, 3 to 5 of a refund.
func readReceipt(r object) (providers.Receipt, bool) {
	status, found, err := r.Number("receiptStatus")
	id := wire.ID(r.Text("uuid"))
	if err != nil || !found || status < 0 || status > 5 || id == "" {
		return providers.Receipt{}, false
	}
	states := []providers.ReceiptState{providers.ReceiptPending, providers.ReceiptDone, providers.ReceiptFailed}
	out := providers.Receipt{
		ID: id, Kind: "sale", State: states[status%3], Register: providers.Fact(r.Text("ecr_registration_number")),
		Storage: providers.Fact(r.Text("fn_number")), Document: providers.Fact(r.Text("fiscal_document_number")),
		Sign: providers.Fact(r.Text("fiscal_document_attribute")),
	}
	if status > 2 {
		out.Kind = "refund"
	}
	if n, found, err := r.Number("amount_total"); err == nil && found && n >= 0 {
		out.Amount = n
	}
	if ms, found, err := r.Number("receipt_date_time"); err == nil && found && ms > 0 {
		out.At = time.UnixMilli(ms).UTC()
	}
	return out, true
}
