package cashier

// API paths; those marked * are not in the public document.
const (
	pathLogin     = "/identity/api/v1/public/login"  // at the identity host, here a prefix
	pathOrders    = "/api/v1/orders"                 // *
	pathOrder     = "/api/v1/order"                  //
	pathRead      = "/api/v1/order/{id}"             //
	pathStatus    = "/api/v1/status/{id}"            //
	pathRefund    = "/api/v1/order/refund/{id}"      // *
	pathQR        = "/api/v1/order/qrcData/{id}"     //
	pathSberPay   = "/api/v1/order/sberPay/{id}"     // *
	pathPayoutIPS = "/api/v1/order/payout/ips/{id}"  // *
	pathPayout    = "/api/v1/order/payout/card/{id}" // *
	pathPublic    = "/api/v1/public/order"           // *
	pathPublicQR  = "/api/v1/public/order/qrcData/{tspCode}/{id}"
	pathBanks     = "/api/v1/public/banks"                     // *
	pathForm      = "/api/v1/public/order/form/{tspCode}/{id}" // *
	pathAuthorize = "/api/v1/payments/authorize"               // *
	pathCharge    = "/api/v1/payments/charge"                  // *
	pathVoid      = "/api/v1/payments/void"                    // *
	pathHosted    = "/form/{external}"                         //
	pathReturn    = "/form/{external}/3ds"                     // the ACS comes back here
	pathPayQR     = "/sandbox/pay/{qrc}"                       // the sandbox's own
	pathPaySber   = "/sandbox/sberpay/{token}"                 // the sandbox's own
)
