// Package sber simulates the Sberbank "binding" gateway (sbersafe): the customer logs in with a phone and a one-time code,
// then pays, transfers and keeps cards under an access token. It speaks the gateway's own wire, JSON under
// /sber/sbersafe/api/, and refuses what the gateway refuses.
//
// Of the real gateway only the good answers are published. Chosen here:
//   - a refusal is HTTP 200 with status ERROR, errorCode and errorMessage; an unknown, revoked or old token is HTTP 401 with
//     errorCode 5; what is not JSON is HTTP 400. Codes: 1 transactionNumber used, 2 no such binding, 3 currency, 4 a field is
//     missing or malformed, 5 access or state, 6 no such order, 7 the gateway's own failure. A bank's refusal has the
//     action code of the vendor's other gateway (RBS): 116, 119, 101, 82, 111, -2006, -2011, -2016;
//   - customers: every phone of ten digits that begins with 9 or 7 and does not end in 00 is one, made when first asked for;
//     any other phone gets an answer without client. An e-mail address finds who was made with it;
//   - the code is 111111; it is good for 60 seconds and for three tries; a new one ends the one before. A new token ends
//     the one before of the same customer and merchant; it lives 30 days;
//   - a transactionNumber is taken once for ever by start and by vcard/create; a repeat is refused and changes nothing;
//   - start moves no money; finish moves it, once; a finish of an order that is over is refused. A refused PaRes, or none
//     where one is due, changes nothing. An order lives 20 minutes, then it is DECLINED;
//   - the orders and cards of another customer or merchant are unknown;
//   - an inquiry for an unknown order is answered SUCCESS without an order, as clients/find is without client;
//   - transactions/find nests card and binding under transactionDetails, find has them at the root, as the two documents do;
//   - payment/finish takes a transfer too, as one table of the documents has it; transfer/finish takes no payment;
//   - transactionFee is noted and repeated; the ledger counts transactionAmount alone;
//   - clients/ lists bindings in the shape of vcard/create's answer; transactions/ lists what was performed, and with
//     local=true only by this merchant;
//   - a virtual card holds what was transferred to it and pays no more than that, without 3-D Secure.
//
// There is no 3DS 2 here: cards with a challenge, decoupled or soft-declined ones run 3DS 1.0.2. Frictionless ones run
// without 3-D Secure; those whose bank says N, R, U or nothing are declined by finish.
//
// Faults and the log of calls name a call by its path under /api/: payment/start, transactions/find.
package sber
