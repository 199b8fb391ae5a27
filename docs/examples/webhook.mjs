// Receives Plexy's webhooks with Node.js 18 or newer and nothing else:
//
//	PLEXY_TOKEN=whtok_… PLEXY_SECRETS=whsec_… PORT=3000 node webhook.mjs
//
// While a secret is rotated PLEXY_SECRETS holds both, separated by a space.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const TOKEN = process.env.PLEXY_TOKEN;
const KEYS = (process.env.PLEXY_SECRETS ?? '').split(' ').filter(Boolean)
  .map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
const MAX_SKEW = 300; // seconds
const MAX_BODY = 64 * 1024; // bytes

if (!TOKEN || KEYS.length === 0 || KEYS.some((key) => key.length < 24)) {
  console.error('PLEXY_TOKEN and PLEXY_SECRETS must hold what Plexy showed for the endpoint');
  process.exit(2);
}

// same compares in constant time.
function same(a, b) {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

// verify returns 0 if the delivery is Plexy's, of now and unaltered, or else the status to answer with.
// body is the bytes as they came: parsed and written again they are other bytes.
function verify(headers, body, now = Date.now() / 1000) {
  const id = headers['webhook-id'] ?? '';
  const time = headers['webhook-timestamp'] ?? '';
  const signatures = headers['webhook-signature'] ?? '';
  if (!id || id.includes('.') || !signatures || !/^\d{1,12}$/.test(time)) return 400;
  if (Math.abs(now - Number(time)) > MAX_SKEW) return 401;
  if (!same(headers.authorization ?? '', `Bearer ${TOKEN}`)) return 401;
  for (const key of KEYS) {
    const mac = createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest('base64');
    for (const signature of signatures.split(' ')) {
      if (same(signature, `v1,${mac}`)) return 0;
    }
  }
  return 401;
}

// note writes an event down. Work on it afterwards: Plexy waits 15 seconds. An event may come twice, so the
// place where you keep events should have event.id as its key.
async function note(event) {
  console.log('event', event.id, event.number, event.name);
}

// receive returns the status to answer with.
async function receive(request) {
  if (request.method !== 'POST') return 405;
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= MAX_BODY) chunks.push(chunk);
  }
  if (size > MAX_BODY) return 413;
  const body = Buffer.concat(chunks);
  const refused = verify(request.headers, body);
  if (refused) return refused;
  await note(JSON.parse(body));
  return 204;
}

const server = createServer(async (request, response) => {
  const status = await receive(request).catch((error) => {
    console.error('not noted:', error.message);
    return 500; // Plexy sends it again
  });
  response.writeHead(status).end();
});

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
