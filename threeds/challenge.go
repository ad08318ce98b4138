package threeds

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// CReq opens the challenge at the ACS. Gateways usually pack it; read it to learn the window size and the ids, and post
// the packed value itself.
type CReq struct {
	ThreeDSServerTransID string          `json:"threeDSServerTransID"`
	ACSTransID           string          `json:"acsTransID"`
	MessageType          string          `json:"messageType"`
	MessageVersion       string          `json:"messageVersion"`
	ChallengeWindowSize  string          `json:"challengeWindowSize"`
	MessageExtension     json.RawMessage `json:"messageExtension,omitempty"` // an array, as written
}

// Window returns the frame size in CSS pixels for the challengeWindowSize; 0, 0 is the full page (05 or unknown).
func (c CReq) Window() (width, height int) {
	switch c.ChallengeWindowSize {
	case "01":
		return 250, 400
	case "02":
		return 390, 400
	case "03":
		return 500, 600
	case "04":
		return 600, 400
	}
	return 0, 0
}

func (c CReq) check() error {
	switch c.MessageType {
	case "CReq":
	case "":
		return fail(ReasonMissingField, "messageType")
	default:
		return fail(ReasonWrongMessageType, "messageType")
	}
	if err := checkUUID(c.ThreeDSServerTransID, "threeDSServerTransID"); err != nil {
		return err
	}
	if err := checkUUID(c.ACSTransID, "acsTransID"); err != nil {
		return err
	}
	if err := checkVersion(c.MessageVersion); err != nil {
		return err
	}
	switch c.ChallengeWindowSize {
	case "01", "02", "03", "04", "05":
		return nil
	case "":
		return fail(ReasonMissingField, "challengeWindowSize")
	}
	return fail(ReasonBadWindowSize, "challengeWindowSize")
}

func checkVersion(v string) error {
	switch v {
	case "2.1.0", "2.2.0", "2.3.0", "2.3.1":
		return nil
	case "":
		return fail(ReasonMissingField, "messageVersion")
	}
	return fail(ReasonUnsupportedVersion, "messageVersion")
}

// EncodeCReq builds the value of the form field creq. An empty MessageType is filled in.
func EncodeCReq(c CReq) (string, error) {
	if c.MessageType == "" {
		c.MessageType = "CReq"
	}
	if err := c.check(); err != nil {
		return "", err
	}
	s, err := encodeMessage(c)
	if err == nil && len(s) > MaxChallenge {
		return "", fail(ReasonTooLarge, "creq")
	}
	return s, err
}

// DecodeCReq reads a packed CReq. Members of the app channel and unknown ones are ignored.
func DecodeCReq(value string) (CReq, error) {
	o, err := decodeMessage(value, "creq", MaxChallenge)
	if err != nil {
		return CReq{}, err
	}
	c := CReq{
		ThreeDSServerTransID: o.text("threeDSServerTransID"),
		ACSTransID:           o.text("acsTransID"),
		MessageType:          o.text("messageType"),
		MessageVersion:       o.text("messageVersion"),
		ChallengeWindowSize:  o.text("challengeWindowSize"),
		MessageExtension:     o.raw("messageExtension"),
	}
	if err := c.check(); err != nil {
		return CReq{}, err
	}
	return c, nil
}

// IDs are what is known of the waiting run. An empty member is unknown and contradicts nothing.
type IDs struct{ ThreeDSServerTransID, ACSTransID, MessageVersion string }

// contradicted reports whether an id that came is a UUID other than ours. Case does not matter.
func (w IDs) contradicted(threeDSServerTransID, acsTransID string) error {
	differ := func(ours, theirs string) bool {
		return ours != "" && isUUID(theirs) && !strings.EqualFold(ours, theirs)
	}
	if differ(w.ThreeDSServerTransID, threeDSServerTransID) {
		return fail(ReasonIDMismatch, "threeDSServerTransID")
	}
	if differ(w.ACSTransID, acsTransID) {
		return fail(ReasonIDMismatch, "acsTransID")
	}
	return nil
}

// CRes is the final challenge result as it came through the shopper's browser: unsigned, so a hint and no more. Whatever
// it says, only the gateway's own answer decides. Its text is kept as written, wrong values included; see [CRes.Check].
type CRes struct {
	ThreeDSServerTransID   string `json:"threeDSServerTransID,omitempty"`
	ACSTransID             string `json:"acsTransID,omitempty"`
	MessageType            string `json:"messageType,omitempty"`
	MessageVersion         string `json:"messageVersion,omitempty"`
	TransStatus            string `json:"transStatus,omitempty"`
	ChallengeCompletionInd string `json:"challengeCompletionInd,omitempty"`
	// as written, not judged: extensions are the 3DS Server's matter
	MessageExtension json.RawMessage `json:"messageExtension,omitempty"`
}

// Erro is EMV's error message. It is never a decline: ask the gateway. The texts come from the ACS and may hold HTML;
// they are for operators, escaped, and never for shoppers.
type Erro struct {
	ThreeDSServerTransID string `json:"threeDSServerTransID,omitempty"`
	ACSTransID           string `json:"acsTransID,omitempty"`
	DSTransID            string `json:"dsTransID,omitempty"`
	SDKTransID           string `json:"sdkTransID,omitempty"`
	ErrorCode            string `json:"errorCode,omitempty"`
	ErrorComponent       string `json:"errorComponent,omitempty"`
	ErrorDescription     string `json:"errorDescription,omitempty"`
	ErrorDetail          string `json:"errorDetail,omitempty"`
	ErrorMessageType     string `json:"errorMessageType,omitempty"`
	MessageType          string `json:"messageType,omitempty"`
	MessageVersion       string `json:"messageVersion,omitempty"`
}

// PeekCRes looks into the value of a cres or erro field and decides by messageType which of the two it is; without an
// error exactly one is not nil. It is never used to build what is forwarded: gateways want the value as it came.
//
// Only the envelope is judged here (base64, JSON, messageType, an Erro's errorCode); the members of a CRes are judged by
// [CRes.Check], so that ids of another transaction are seen even in a CRes that has other faults. For the same reason
// a CRes that lacks its messageType but has ids or a status is returned, for Check to refuse.
func PeekCRes(value string) (*CRes, *Erro, error) {
	o, err := decodeMessage(value, "cres", MaxChallenge)
	if err != nil {
		return nil, nil, err
	}
	t := o.text("messageType")
	switch t {
	case "CRes":
	case "Erro":
		e := &Erro{
			ThreeDSServerTransID: o.text("threeDSServerTransID"),
			ACSTransID:           o.text("acsTransID"),
			DSTransID:            o.text("dsTransID"),
			SDKTransID:           o.text("sdkTransID"),
			ErrorCode:            o.text("errorCode"),
			ErrorComponent:       o.text("errorComponent"),
			ErrorDescription:     o.text("errorDescription"),
			ErrorDetail:          o.text("errorDetail"),
			ErrorMessageType:     o.text("errorMessageType"),
			MessageType:          t,
			MessageVersion:       o.text("messageVersion"),
		}
		if e.ErrorCode == "" {
			return nil, nil, fail(ReasonMissingField, "errorCode")
		}
		return nil, e, nil
	case "":
		if o.text("threeDSServerTransID")+o.text("acsTransID")+o.text("transStatus") == "" {
			return nil, nil, fail(ReasonMissingField, "messageType")
		}
	default:
		return nil, nil, fail(ReasonWrongMessageType, "messageType")
	}
	return &CRes{
		ThreeDSServerTransID:   o.text("threeDSServerTransID"),
		ACSTransID:             o.text("acsTransID"),
		MessageType:            t,
		MessageVersion:         o.text("messageVersion"),
		TransStatus:            o.text("transStatus"),
		ChallengeCompletionInd: o.text("challengeCompletionInd"),
		MessageExtension:       o.raw("messageExtension"),
	}, nil, nil
}

// Check judges a CRes for the waiting run. Its first question is the one that stops an attack: id_mismatch means the
// CRes of another transaction (a shopper's own cheap order posted to the victim's URL) and nothing may be done with it.
// Every other reason is a fault to record; the value is forwarded all the same and the gateway asked. Those are, in
// order: missing_field, bad_uuid, unsupported_version (unknown, or not the run's), not_final, bad_trans_status.
//
// The final statuses are Y and N; U is outside the standard but sent by real ACSs; D is the decoupled fallback of 2.3.
func (c CRes) Check(w IDs) error {
	if err := w.contradicted(c.ThreeDSServerTransID, c.ACSTransID); err != nil {
		return err
	}
	if c.MessageType == "" {
		return fail(ReasonMissingField, "messageType")
	}
	if c.MessageType != "CRes" {
		return fail(ReasonWrongMessageType, "messageType")
	}
	if err := checkUUID(c.ThreeDSServerTransID, "threeDSServerTransID"); err != nil {
		return err
	}
	if err := checkUUID(c.ACSTransID, "acsTransID"); err != nil {
		return err
	}
	if err := checkVersion(c.MessageVersion); err != nil {
		return err
	}
	if w.MessageVersion != "" && c.MessageVersion != w.MessageVersion {
		return failf(ReasonUnsupportedVersion, "messageVersion", "not the version of this run")
	}
	if c.ChallengeCompletionInd != "" && c.ChallengeCompletionInd != "Y" {
		return fail(ReasonNotFinal, "challengeCompletionInd")
	}
	switch c.TransStatus {
	case "Y", "N", "U":
		return nil
	case "D":
		if strings.HasPrefix(c.MessageVersion, "2.3.") {
			return nil
		}
	case "":
		return fail(ReasonMissingField, "transStatus")
	}
	return fail(ReasonBadTransStatus, "transStatus")
}

// Check refuses an Erro that names another transaction (id_mismatch). Nothing else in an Erro is worth refusing:
// whatever it says, the gateway is asked.
func (e Erro) Check(w IDs) error { return w.contradicted(e.ThreeDSServerTransID, e.ACSTransID) }

// EncodeSessionData builds threeDSSessionData, which the ACS hands back with the CRes: at most 1024 characters of
// base64url, so 768 bytes. Make it an opaque token; never an order number, a name or an e-mail address.
func EncodeSessionData(b []byte) (string, error) {
	if len(b) == 0 {
		return "", fail(ReasonEmpty, "threeDSSessionData")
	}
	s := base64.RawURLEncoding.EncodeToString(b)
	if len(s) > MaxSessionData {
		return "", fail(ReasonTooLarge, "threeDSSessionData")
	}
	return s, nil
}

// DecodeSessionData reads threeDSSessionData. Failing is not an error of the payment: ACSs drop, alter or un-encode the
// value; go by the path token and the ids of the CRes then.
func DecodeSessionData(value string) ([]byte, error) {
	return decode64(value, "threeDSSessionData", MaxSessionData)
}
