// Package transactworld simulates the TransactWorld gateway (the Paymentz platform and its white labels), REST API v1 with the
// invoice service beside it. It speaks the gateway's own wire and refuses what the gateway refuses.
//
// Every call needs the AuthToken header, good for one hour, and a checksum: lower-case hex MD5 over values joined with "|",
// in an order that differs from call to call (checksum.go). Requests are forms with dotted names, JSON (nested objects or
// dotted names) or XML; answers are JSON, or XML where Accept asks for it.
//
// What becomes of a payment is decided by card and cvv. The cvv must be 123; a card that is not in the issuer's table is
// declined, and so is an expired one. The gateway has no 3-D Secure 2:
//
//	card                       answer
//	3DS 1.0.2, or a challenge  3D: redirect with url, method POST and the ACS's parameters
//	the gateway shows a page   P: redirect with a url alone; the gateway's page goes on to the bank
//	all others                 Y or N at once, as the bank says
//
// The platform itself handles what the bank answers, and posts the browser to merchantRedirectUrl with the short status and a
// checksum. A redirect that nobody follows for 15 minutes ends in authfailed.
//
// result.code, of which the real list is not public: 00001 succeeded, 00004 captured, 00026 record found, 10001 failed, 10009
// record not found and 20007 are seen in the field; these are this simulator's:
//
//	00005 cancelled  00006 refunded  00007 accepted, pending  00030 registered  00031 registration deleted  00040 paid out
//	00050 invoice    00100 redirect the customer
//	20001 parameter missing or malformed   20002 checksum   20003 merchantTransactionId was used   20004 not in this state
//	20005 amount exceeds what is there     20006 no such registration       20007 payment mode or type not possible
//	20008 a REPEATED payment without an INITIAL one
//	401 token or credentials refused       30000 internal error
//
// Chosen where the real gateway's behaviour is not published:
//   - authToken answers HTTP 200 with result.code 401 to wrong credentials; every other call answers a refused token with HTTP
//     401 and result.code 401, and has then done nothing;
//   - a merchantTransactionId is taken once for ever; a second payment with it is refused and names the first's paymentId;
//   - refusals of calls that move money carry transactionStatus N, and paymentId "-" where there is no payment;
//   - a capture can be asked for once, a refund once, a reversal once, the latter in part only where the account may;
//   - a registration comes into being when its payment succeeds; registrations, paywithtoken, DL and a repeated payment by
//     paymentId are signed over memberId, secureKey, that id and, where there is one, the amount;
//   - a stand-alone registration is signed over memberId and secureKey, joined with merchantTransactionId where one is sent;
//   - some clients name an operation in the path: /capture/{id}, /refund/{id}, /cancel/{id}, /getStatus/{id}; /payments/{id} with IN and
//     idType=MID takes our number there;
//   - a partner's token speaks for each of its members, whose memberId and secureKey sign the call;
//   - getCardsAndAccounts is signed over memberId and secureKey, and lists under cards what was registered;
//   - the checkout page keeps nothing before a card is given, so that the payment is not found until then;
//   - REPEATED needs neither cvv nor 3-D Secure, and an INITIAL payment that went through: the one that its path names, or one that
//     made its registration or was made with it; INITIAL with a token needs no cvv, any other payment with a token does unless
//     the account says otherwise;
//   - the inquiry tells captureamount and refundamount by the names of the transaction list, and never repeats a redirect;
//   - a notification follows every end of a payment and every operation, and is repeated until it is answered with 2xx.
package transactworld
