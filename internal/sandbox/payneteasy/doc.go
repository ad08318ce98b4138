// Package payneteasy simulates the PaynetEasy gateway and its white labels, API v2 with the 3DS uploads. It speaks the
// gateway's own wire, so that public client libraries work against it, and refuses what the gateway refuses.
//
// What becomes of an order is decided by CVV2 and card. The CVV2 of the gateway's own sandbox: 123 and 1234 as the card
// says, 111 approved without 3-D Secure, 321 the gateway's page (html, redirect-to), 217 unknown; 101, 116, 119, 209 and all
// others declined. A card that is not in the issuer's table is declined, and so is an expired one. Then 3-D Secure:
//
//	result of 3DS             status
//	Y, A, I                   as the bank says: approved or declined
//	Y on a soft card          CReqForm: the gateway has the browser's data and asks again by itself
//	N, R                      declined
//	U, an Erro                declined
//	directory server timeout  declined
//	C                         CReqForm; PaReqForm for 3DS 1.0.2
//	D                         processing without a step, then as Y or N
//
// A status repeats its step until the upload was accepted; after an upload it says processing once (or as often as the
// account says). A step that nobody answers for 15 minutes ends in declined; a card form for 30.
//
// Chosen where the real gateway's behaviour is not published:
//   - a client_orderid is taken once for ever; a second order with it is refused (code 8) and names the first, or is answered as
//     the first was where the account says so and it asks for the same;
//   - html and redirect-to stand beside MethodUrlFrame and PaReqForm, for clients that know nothing else;
//   - error-code 1 is a missing or malformed parameter; 2 a wrong control or login; 3 an unknown end point; 4 an unknown order; 5
//     a request that the order's state does not allow; 6 an amount that is not there; 7 an unknown card reference;
//   - the control must be lower-case hex; it is checked before the other parameters; a missing orderid counts as empty;
//   - an upload that is refused (garbage, another transaction, no result at the bank yet) changes nothing; the CRes itself
//     is never believed, only the bank's result;
//   - browser elements that need script are required only with browserJavascriptEnabled=true; browserUserAgent is optional;
//   - unknown stays unknown until Resolve, or POST /payneteasy/sandbox/resolve/{client_orderid}?to=approved|declined; no
//     money is in the ledger before;
//   - the plain status shows the order's amount (after a partial capture what was captured) and the latest operation's
//     transaction-type; by-request-sn shows one operation;
//   - a repeated payment (make-rebill…) runs no 3-D Secure unless the account says so; enumerate_amounts is not needed,
//     because no test card refuses an amount for its size;
//   - server_callback_url silences all later callbacks, whether notify_url came too or not;
//   - the gateway's own pages run no Method (threeDSCompInd N, or U where the card has none).
package payneteasy
