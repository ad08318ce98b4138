package threeds

import (
	"encoding/json"
	"net/http"
	"net/url"
)

type MethodData struct {
	ThreeDSServerTransID         string `json:"threeDSServerTransID"`
	ThreeDSMethodNotificationURL string `json:"threeDSMethodNotificationURL"`
}

func EncodeMethodData(MethodData) (string, error)           { return "", fail(ReasonMissing, "") }
func DecodeMethodData(string) (MethodData, error)           { return MethodData{}, fail(ReasonMissing, "") }
func DecodeMethodNotification(value string) (string, error) { return "", fail(ReasonMissing, "") }

type CReq struct {
	ThreeDSServerTransID string          `json:"threeDSServerTransID"`
	ACSTransID           string          `json:"acsTransID"`
	MessageType          string          `json:"messageType"`
	MessageVersion       string          `json:"messageVersion"`
	ChallengeWindowSize  string          `json:"challengeWindowSize"`
	MessageExtension     json.RawMessage `json:"messageExtension,omitempty"`
}

func EncodeCReq(CReq) (string, error) { return "", fail(ReasonMissing, "") }
func DecodeCReq(string) (CReq, error) { return CReq{}, fail(ReasonMissing, "") }

type IDs struct{ ThreeDSServerTransID, ACSTransID, MessageVersion string }

type CRes struct {
	ThreeDSServerTransID   string          `json:"threeDSServerTransID,omitempty"`
	ACSTransID             string          `json:"acsTransID,omitempty"`
	MessageType            string          `json:"messageType,omitempty"`
	MessageVersion         string          `json:"messageVersion,omitempty"`
	TransStatus            string          `json:"transStatus,omitempty"`
	ChallengeCompletionInd string          `json:"challengeCompletionInd,omitempty"`
	MessageExtension       json.RawMessage `json:"messageExtension,omitempty"`
}

func (CRes) Check(IDs) error { return fail(ReasonMissing, "") }

type Erro struct {
	ThreeDSServerTransID string `json:"threeDSServerTransID,omitempty"`
	ACSTransID           string `json:"acsTransID,omitempty"`
	DSTransID            string `json:"dsTransID,omitempty"`
	SDKTransID           string `json:"sdkTransID,omitempty"`
	ErrorCode            string `json:"errorCode"`
	ErrorComponent       string `json:"errorComponent,omitempty"`
	ErrorDescription     string `json:"errorDescription,omitempty"`
	ErrorDetail          string `json:"errorDetail,omitempty"`
	ErrorMessageType     string `json:"errorMessageType,omitempty"`
	MessageType          string `json:"messageType,omitempty"`
	MessageVersion       string `json:"messageVersion,omitempty"`
}

func (Erro) Check(IDs) error { return fail(ReasonMissing, "") }

func PeekCRes(value string) (*CRes, *Erro, error) { return nil, nil, fail(ReasonMissing, "") }
func EncodeSessionData([]byte) (string, error)    { return "", fail(ReasonMissing, "") }
func DecodeSessionData(string) ([]byte, error)    { return nil, fail(ReasonMissing, "") }

type PaMerchant struct{ AcqBIN, MerID, Name, Country, URL string }
type PaPurchase struct {
	XID, Date, Amount, PurchAmount, Currency, Exponent, Desc string
	RecurFrequency, RecurEnd, Install                        string
}
type PaReq struct {
	MessageID, Version string
	Merchant           PaMerchant
	Purchase           PaPurchase
	AcctID, Expiry     string
}
type PaTX struct{ Time, Status, CAVV, ECI, CAVVAlgorithm string }
type PaError struct{ Version, Code, Message, Detail, VendorCode string }
type PaRes struct {
	MessageID, ID, Version string
	Merchant               PaMerchant
	Purchase               PaPurchase
	PANLast4               string
	TX                     PaTX
	IReqCode, IReqDetail   string
	VendorCode             string
	Signed                 bool
	Error                  *PaError
}

func PeekPaReq(string) (PaReq, error) { return PaReq{}, fail(ReasonMissing, "") }
func PeekPaRes(string) (PaRes, error) { return PaRes{}, fail(ReasonMissing, "") }

type BrowserData struct {
	AcceptHeader      string   `json:"browserAcceptHeader,omitempty"`
	UserAgent         string   `json:"browserUserAgent,omitempty"`
	IP                string   `json:"browserIP,omitempty"`
	Language          string   `json:"browserLanguage,omitempty"`
	JavaEnabled       bool     `json:"browserJavaEnabled"`
	JavascriptEnabled bool     `json:"browserJavascriptEnabled"`
	ColorDepth        string   `json:"browserColorDepth,omitempty"`
	ScreenHeight      string   `json:"browserScreenHeight,omitempty"`
	ScreenWidth       string   `json:"browserScreenWidth,omitempty"`
	TZ                string   `json:"browserTZ,omitempty"`
	AcceptLanguage    []string `json:"acceptLanguage,omitempty"`
}

func ReadBrowserData(h http.Header, ip string, form url.Values) BrowserData { return BrowserData{} }

type Reply struct {
	Method                                         string
	CRes, Erro, SessionData, PaRes, MD, MethodData string
	Extra                                          map[string]string
	Faults                                         []string
}

func ReadReply(r *http.Request) (Reply, error) { return Reply{}, fail(ReasonMissing, "") }
