package templates

import "strings"

// MailText is a receipt as the plain text of a mail.
func MailText(p MailPage) string {
	var b strings.Builder
	b.WriteString(p.T.T("receipt") + " · " + p.ShopName + "\n\n")
	for _, r := range p.Rows {
		b.WriteString(r.Name + ": " + r.Value + "\n")
	}
	b.WriteString("\n" + p.T.T("mail_why") + "\n")
	if len(p.Help) > 0 {
		b.WriteString(p.T.T("help") + " " + strings.Join(p.Help, ", ") + "\n")
	}
	return b.String()
}

// Rows are the lines of a receipt, as its page has them; order is what the shop calls it.
func (r Receipt) Rows(p MailPage, order string) []MailRow {
	var rows []MailRow
	for _, one := range []MailRow{
		{"order", order}, {"receipt_amount", r.AmountText}, {"receipt_taken", r.TakenText}, {"receipt_refunded", r.RefundedText}, {"receipt_left", r.LeftText},
		{"receipt_date", r.Date.UTC().Format("2006-01-02 15:04 UTC")}, {"receipt_card", r.card()}, {"receipt_reference", r.ReferenceText},
		{"receipt_approval", r.ApprovalText},
	} {
		if one.Value != "" {
			rows = append(rows, MailRow{p.T.T(one.Name), one.Value})
		}
	}
	return rows
}

func (r Receipt) card() string {
	if r.Last4 == "" {
		return ""
	}
	return strings.TrimSpace(r.Brand.Name + " •••• " + r.Last4)
}
