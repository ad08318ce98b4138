// Drives the RBS simulator with sberbank-acquiring: reads {entry, userName, password, order} and prints what each call was answered.
const Acquiring = require('sberbank-acquiring');

const { entry, userName, password, order } = JSON.parse(require('fs').readFileSync(0));
const said = {};

async function say(name, answer) {
  try {
    said[name] = await answer;
  } catch (e) {
    said[name] = { refused: e.sberErrorCode, message: e.message };
  }
  return said[name];
}

function gateway(credentials) {
  const g = new Acquiring(credentials, 'https://shop.example/done/{order}', true);
  g.entry = entry;
  return g;
}

(async () => {
  const g = gateway({ userName, password });
  const call = async (action, data) => g.parse(await g.POST(action, g.buildData(data))); // what the library has no method for
  const customer = { clientId: `${order}-customer` };

  const { orderId } = await say('register', g.register(`${order}-1`, 123.45, 'Tea', { ...customer, features: 'FORCE_SSL' }));
  await say('register again', g.register(`${order}-1`, 123.45));
  await say('status unpaid', g.status(orderId));
  await say('status unknown', g.status('00000000-0000-4000-8000-000000000000'));
  await say('refund unpaid', g.refund(orderId, 1));
  await say('pay', call('paymentorder.do', {
    MDORDER: orderId, $PAN: '4000019900020001', $CVC: '123', YYYY: '2030', MM: '12', TEXT: 'TEST SHOPPER',
  }));
  const paid = await say('get', g.get(orderId));
  await say('status by number', g.status(null, `${order}-1`));
  await say('refund', g.refund(orderId, 23.45));
  await say('refund too much', g.refund(orderId, 100.01));

  const { bindingId } = paid.bindingInfo;
  await say('bindings', g.getBindings(customer.clientId));
  const repeat = await say('register repeat', g.register(`${order}-2`, 50, 'Tea again', { ...customer, features: 'AUTO_PAYMENT' }));
  await say('pay by binding', g.paymentOrderBinding(repeat.orderId, bindingId, '1d0d:db8:6:1::77'));
  await say('status repeat', g.status(repeat.orderId));
  await say('reverse', call('reverse.do', { orderId: repeat.orderId }));
  await say('reverse again', call('reverse.do', { orderId: repeat.orderId }));
  await say('status reversed', g.status(repeat.orderId));

  await say('unbind', g.unBindCard(bindingId));
  await say('unbind again', g.unBindCard(bindingId));
  await say('bindings none', g.getBindings(customer.clientId));
  const late = await say('register late', g.register(`${order}-3`, 50, '', { ...customer, features: 'AUTO_PAYMENT' }));
  await say('pay by dead binding', g.paymentOrderBinding(late.orderId, bindingId, '127.0.0.1'));
  await say('refund the rest', g.refund(orderId, 0));
  await say('status refunded', g.status(orderId));

  await say('wrong password', gateway({ userName, password: 'guess' }).get(orderId));
  console.log(JSON.stringify(said));
})();
