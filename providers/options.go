package providers

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Options are what the merchant asks of one gateway for one payment, by the gateway's name, as gateway_options of the contract
// writes it.
type Options map[string]json.RawMessage

// OptionField is the merchant's name of a member of a gateway's options, for a Refusal.
func OptionField(gateway, name string) string { return "gateway_options." + gateway + "." + name }

// Read reads a gateway's options into to, which stays as it is where there are none. Members that to does not have are an error.
func (o Options) Read(gateway string, to any) error {
	raw, there := o[gateway]
	if !there {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(to) != nil {
		return &Refusal{Field: "gateway_options." + gateway, Text: "has members of other types than the contract's"}
	}
	if d.More() {
		return errors.New("providers: options are more than one value")
	}
	return nil
}

// Only refuses options of gateways other than the account's.
func (o Options) Only(gateway string) error {
	for name := range o {
		if name != gateway {
			return Refuse("gateway_options."+name, "the account is with "+gateway)
		}
	}
	return nil
}
