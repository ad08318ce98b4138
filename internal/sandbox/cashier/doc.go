// Package cashier simulates the "Mobile Cashier" gateway (API 1.1.7: Pay2Day, Kanyon, AdvancedPay) with the PaymentAPI layer
// that its card calls belong to. Paths and field names that the document does not print are in paths.go and in the rows
// marked below; docs/gateways/cashier.md counts them as assumptions.
//
// An order takes one instrument and one try:
//
//	POST /order                     CREATED
//	POST /public/order/form/…       externalOrderId, which authorize, charge, void and the hosted form want
//	POST /payments/authorize        card, token or encrypted card; SMS charges at once, DMS (the default) holds
//	  not enrolled, Y A I           AUTHORIZED, and CHARGED for SMS
//	  N R U, timeout, Erro          DECLINED
//	  challenge, soft, 3DS 1.0.2    PRE_AUTHORIZED_3DS; the AReq goes out when the shopper opens the hosted form
//	  decoupled                     AUTHORIZATION until the bank's word
//	POST /payments/charge, /void    CHARGED, VOIDED; VOID of a hold only
//	POST /order/refund/{id}         PARTIALLY_REFUNDED, REFUNDED
//	POST /order/qrcData/{id}        QRCDATA_CREATED; paid (IPS_ACCEPTED) at /sandbox/pay/{qrcId}
//	POST /order/sberPay/{id}        IN_PROCESS; confirmed (CHARGED) at /sandbox/sberpay/{token}
//	POST /order/payout/…            PAYOUT_IN_PROGRESS or IN_PROCESS, PAID at a later look; needs an order of type PayOut
//
// An unpaid order EXPIRES with its life (30 minutes).
//
// Chosen where the real gateway's behaviour is not published:
//   - refusals of the cashier layer are HTTP 4xx with success false and a description; of authorize, charge and void 200 with
//     Response.Success false, ErrCode and ErrMessage;
//   - a dead or unknown token is 401; authorize, charge and void need none, but one that is sent must be good;
//   - x-req-id: a repeat within 60 minutes gets the first answer, status and bytes; the same id with another path or body is
//     409. An order and the answer that it led to are one journal record, so a kill cannot part them;
//   - merchantOrderId need not be unique: only x-req-id protects from a second order;
//   - orderAmount converts at a fixed rate and adds 2.5 %; paymentAmount takes 2.5 % off the order amount; see rates;
//   - refunds are in the payment's currency and cannot exceed what was charged; a second one is allowed while some is left;
//   - a payment with a card that is typed always runs 3-D Secure, with or without the 3DS object; one with a token only with it;
//   - payouts count in the ledger as captured, with one charge, when the money has left.
package cashier
