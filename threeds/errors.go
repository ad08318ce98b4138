package threeds

import "errors"

// The reasons an [Error] can carry. They are stable: stored in timelines, shown to operators, compared in tests.
const (
	ReasonEmpty              = "empty"               // the field came, with nothing in it
	ReasonMissing            = "missing"             // the field did not come
	ReasonTooLarge           = "too_large"           // over the cap for this value, this form or this URL
	ReasonBadBase64          = "bad_base64"          // a byte outside both alphabets, misplaced padding, stray bits
	ReasonBadJSON            = "bad_json"            // not one well-formed UTF-8 JSON text, or nested too deep
	ReasonNotObject          = "not_object"          // JSON, but no object
	ReasonDuplicateKey       = "duplicate_key"       // one member name twice (EMV error code 204)
	ReasonMissingField       = "missing_field"       // a required member or element is absent (201)
	ReasonBadUUID            = "bad_uuid"            // a transaction id that is no 8-4-4-4-12 UUID
	ReasonWrongMessageType   = "wrong_message_type"  // another message than the one asked for
	ReasonUnsupportedVersion = "unsupported_version" // an unknown messageVersion, or not the run's (102)
	ReasonBadWindowSize      = "bad_window_size"     // challengeWindowSize outside "01".."05"
	ReasonBadTransStatus     = "bad_trans_status"    // a status this message cannot carry
	ReasonNotFinal           = "not_final"           // challengeCompletionInd is there and is not Y
	ReasonIDMismatch         = "id_mismatch"         // the ids of another transaction
	ReasonBadZlib            = "bad_zlib"            // neither a whole zlib nor a whole deflate stream
	ReasonZipBomb            = "zip_bomb"            // inflates beyond the cap
	ReasonBadXML             = "bad_xml"             // not the XML of a 3DS 1.0.2 message, or a shape used to trick readers
	ReasonXMLDoctype         = "xml_doctype"         // carries a DOCTYPE or another declaration
	ReasonWrongContentType   = "wrong_content_type"  // the body is not declared as a form
	ReasonAmbiguousField     = "ambiguous_field"     // one field with different values
	ReasonBadForm            = "bad_form"            // a form with a broken pair, part, escape or value
	ReasonDroppedField       = "dropped_field"       // more or longer unknown fields than are kept
	ReasonTimeout            = "timeout"             // the body did not come within the request's context
	ReasonBadURL             = "bad_url"             // an address no browser may be sent to
)

// Error says why a value was refused. It never holds the value itself: a PaRes may contain a card number.
type Error struct {
	Reason string // one of the Reason constants
	Field  string // the member, element or form field concerned; may be empty
	Detail string // for operators; may be empty
}

func (e *Error) Error() string {
	s := "threeds: " + e.Reason
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// ReasonOf returns the reason of the first Error in err's chain, and "" when there is none.
func ReasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func fail(reason, field string) error { return &Error{Reason: reason, Field: field} }

func failf(reason, field, detail string) error {
	return &Error{Reason: reason, Field: field, Detail: detail}
}
