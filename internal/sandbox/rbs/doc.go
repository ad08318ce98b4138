// Package rbs simulates the RBS/BPC gateway ("eCommerce API V1": Bereke, Alfa, Sber's old one and many others). It speaks
// the gateway's own wire, so that public client libraries work against it, and refuses what the gateway refuses.
//
// What becomes of an authentication:
//
//	result of 3DS             answer                   order, while attempts remain   actionCode
//	Y, A, I                   authorised by the bank   1 or 2                         0
//	Y on a soft card          a second Method step     0, waiting for paymentorder    1434
//	N, R                      declined                 0                              -2006
//	U, an Erro                declined                 0                              -2011
//	directory server timeout  declined                 0                              -2016
//	C                         challenge                5                              as it was
//	D                         redirect, no error       7, then as Y or N              -30001
//
// A refused attempt is answered with errorCode 0, a redirect to failUrl and an error; it leaves the order at 0 with the
// action code set, or at 6 after the last of the attempts (three, if the account says nothing). An order's lifetime ends
// it with 6 and -2007, or -2009 if the shopper was left at the ACS. Bank refusals without 3DS: 111 a card that is not in
// the issuer's table, 101 expired, 82 a CVC other than 123, 116 and 5 as the card says.
//
// Chosen where the real gateway's behaviour is not published:
//   - while an attempt is open, another paymentorder.do is refused ("locked"); decline.do closes the order;
//   - during the Method frames the order is still 0 with -100; 5 begins with the challenge;
//   - 3ds/continue.do and the finish calls are taken once; afterwards they are refused with errorCode 5;
//   - a finish call before the bank has a result is refused and changes nothing, and so is a PaRes that is not the answer
//     to the order's own PaReq; what a browser brings is not relied on, only the bank's result;
//   - a challenge whose CRes comes to the gateway itself is finished there: the money moves, the browser goes to the shop;
//   - depositedAmount shrinks with refunds; a partial refund leaves 2, the last one makes 4;
//   - the feature VERIFY is refused (14), as for a merchant without that permission;
//   - the issuer's card with a gateway page (4000 0199 0007 0006) is an ordinary 2.2.0 challenge here: this gateway has
//     no step that hands out HTML. acsRedirect.do serves it, as it serves every challenge and 3DS 1.0.2;
//   - threeDSCompInd is the gateway's business: U without a Method URL, Y when the bank's Method page was opened or the
//     gateway's own notification address was called, N otherwise;
//   - a request body of a kind that the call does not read is error 4 and told by its name; the real gateway says 5, as if
//     the password were wrong;
//   - an orderBundle with ffdVersion gets receipts, delivered five seconds after the money moved;
//   - declined attempts are called back as deposited (approved for a hold) with status 0.
package rbs
