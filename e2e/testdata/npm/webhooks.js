// Verifies webhooks with standardwebhooks: reads [{name, secret, headers, body, later}] and prints, by name, the event's id or
// why the library rejects it. later is how many seconds after now the receiver looks.
const { Webhook } = require('standardwebhooks');

const now = Date.now;
const said = {};
for (const { name, secret, headers, body, later } of JSON.parse(require('fs').readFileSync(0))) {
  Date.now = () => now() + later * 1000;
  try {
    said[name] = new Webhook(secret).verify(body, headers).id;
  } catch (e) {
    said[name] = e.message;
  }
}
console.log(JSON.stringify(said));
