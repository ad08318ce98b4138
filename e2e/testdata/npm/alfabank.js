// Drives the RBS simulator with alfabank, by token: reads {entry, token, order} and prints what each call was answered.
const { useAlfaBank, toBynPenny } = require('alfabank');

const { entry, token, order } = JSON.parse(require('fs').readFileSync(0));
const bank = useAlfaBank({ token, language: 'en' });
bank.instance.interceptors.request.use((request) => {
  request.url = request.url.replace('https://web.rbsuat.com/ab_by/rest/', entry);
  return request;
});

(async () => {
  const said = {};
  said.register = await bank.register({
    amount: toBynPenny(10.5), orderNumber: `${order}-1`, returnUrl: 'https://shop.example/done', currency: 933, features: 'FORCE_SSL', jsonParams: { email: 'shopper@example.com' },
  });
  said['register again'] = await bank.register({ amount: 1, orderNumber: `${order}-1`, returnUrl: 'https://shop.example/done' });
  const { orderId } = said.register;
  said.unpaid = await bank.getOrderStatusExtended({ orderId });
  await bank.instance.post(`${entry}paymentorder.do`, new URLSearchParams({
    token, MDORDER: orderId, $PAN: '4000019900020001', $CVC: '123', YYYY: '2030', MM: '12', TEXT: 'TEST SHOPPER',
  }).toString());
  said.old = await bank.getOrderStatus({ orderId });
  said.unknown = await bank.getOrderStatus({ orderId: '00000000-0000-4000-8000-000000000000' });
  console.log(JSON.stringify(said));
})();
