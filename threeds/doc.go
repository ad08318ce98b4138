// Package threeds reads and writes what travels through the shopper's browser in 3-D Secure: the messages of EMV 3DS 2.1
// to 2.3.1 and of 3DS 1.0.2, the forms that carry them, and the browser data that an AReq needs. It talks to nobody and
// keeps nothing.
//
// # Who is who
//
// The issuer's ACS asks the shopper to prove who they are. The merchant's side (the requestor, which is us) learns from
// its gateway where the ACS is, sends the browser there, and gets the browser back:
//
//	3DS Method     MethodForm with threeDSMethodData    ->  DecodeMethodNotification
//	challenge      ChallengeForm with creq              ->  PeekCRes: a CRes or an Erro
//	3DS 1.0.2      PayerAuthForm with PaReq, MD         ->  PeekPaRes
//
// [ReadReply] takes the browser's return apart, whichever of the three it is. [CheckURL] judges addresses before a
// browser is sent to them. [ReadBrowserData] collects what the gateway wants to know of the browser.
//
// # What may be believed
//
// Nothing. A CRes is unsigned, the signature of a PaRes is for the gateway to verify, a Method notification can be
// posted by anybody, and all of them pass through the shopper's hands. They correlate and they are forwarded; whether
// somebody is authenticated, or paid, only the gateway says. The functions that look into a value are therefore called
// Peek, and the value itself goes on byte for byte. One finding has consequences: [ReasonIDMismatch], the answer of
// another transaction.
//
// # Tolerant outside, strict inside
//
// Real ACSs pad base64 or not, mix its alphabets, fold it, lose its plus signs, put a BOM before JSON, post forms as
// multipart or text/plain, in windows-1251, twice. All of that is read. What lets two readers of one value see different
// things is refused: duplicate members, names in another case, data after the end, stray base64 bits, XML comments and
// DOCTYPEs, two messages in one. Everything is bounded: text, inflated XML, nesting, fields, time.
//
// Every refusal is an [Error] with a stable reason.
//
// # Files
//
//	form.go       forms for the browser, addresses
//	method.go     3DS Method
//	challenge.go  CReq, CRes, Erro, threeDSSessionData
//	payerauth.go  3DS 1.0.2: PaReq, PaRes; charset.go: the charsets they may be in
//	browser.go    browser data
//	reply.go      the browser's return
//	peek.go       base64 and JSON as they arrive
//	errors.go     Error and its reasons
package threeds
