package sber

import (
	"context"
	"errors"
	"strings"
	"time"

	"tollgate/providers"
	"tollgate/providers/wire"
)

// codeLife is how long a one-time code is good.
const codeLife = 60 * time.Second

// CodeLife is how long a code is good.
func (g *provider) CodeLife() time.Duration { return codeLife }

// FindCustomer asks by phone. For one that is nobody's the gateway leaves out client; what status says then is not
// printed, so that only an error code makes it something else.
func (g *provider) FindCustomer(ctx context.Context, phone string) (string, error) {
	national := nationalNumber(phone)
	o, err := g.call(ctx, opFindClient, providers.Secret{}, struct {
		Phone string `json:"phone"`
	}{national}, phone, national)
	if f, ok := refused(err); ok && f.Code == "?" {
		return "", providers.ErrNoCustomer
	}
	if err != nil {
		return "", err
	}
	if !o.Has("client") {
		return "", providers.ErrNoCustomer
	}
	uuid := wire.ID(o.Child("client").Text("uuid"))
	if uuid == "" {
		return "", providers.Unreadable(opFindClient, 200, errShape)
	}
	return uuid, nil
}

// nationalNumber is a phone as the documents' example has it: ten digits, without the country's 7 or the trunk's 8.
func nationalNumber(phone string) string {
	if len(phone) == 11 && strings.Trim(phone, "0123456789") == "" && (phone[0] == '7' || phone[0] == '8') {
		return phone[1:]
	}
	return phone
}

// SendCode has the one-time code sent by SMS.
func (g *provider) SendCode(ctx context.Context, customer string) (string, error) {
	o, err := g.call(ctx, opOTP, providers.Secret{}, struct {
		MerchantLogin string `json:"merchantLogin"`
		UUID          string `json:"uuid"`
	}{g.merchant, customer})
	if err != nil {
		return "", err
	}
	challenge := wire.ID(o.Text("accessCode"))
	if challenge == "" {
		return "", providers.Unreadable(opOTP, 200, errShape)
	}
	return challenge, nil
}

// Exchange turns the code into a token. Whatever the gateway refuses here in its own words, but for a failure of its own,
// is a code that is wrong or too old (assumption 8).
func (g *provider) Exchange(ctx context.Context, challenge, code string) (providers.Credential, error) {
	asked := g.now()
	o, err := g.call(ctx, opToken, providers.Secret{}, struct {
		AccessCode string `json:"accessCode"`
		OTP        string `json:"otp"`
	}{challenge, code}, challenge, code)
	if f, ok := refused(err); ok && reason(f.Code) != providers.TryAgainLater || errors.Is(err, providers.ErrCredential) {
		return providers.Credential{}, providers.ErrWrongCode
	}
	if err != nil {
		return providers.Credential{}, err
	}
	token := o.Text("accessToken")
	if token == "" || len(token) > 4096 || !wire.HeaderSafe(token) {
		return providers.Credential{}, providers.Unreadable(opToken, 200, errShape)
	}
	return providers.Credential{Token: providers.NewSecret(token), ExpiresAt: asked.Add(g.tokenLife)}, nil
}
