// Package wire is what the providers share in speaking with gateways: strict reading of JSON objects, texts made fit for a
// log or for a field of a request, checks of ids and addresses. It knows no gateway and nothing of payments.
package wire
