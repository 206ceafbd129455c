// A subscriber that the package of the standard checks messages for. Prints where it listens. Elsewhere than at `/broken` and `/gone` it answers, to all but tests, what `POST /_answers`
// says, once each, and else 204; `GET /_received` tells what came, and which of the secrets of `POST /_secrets` have signed it.

import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

let secrets = [];
let answers = [];
let received = [];

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function isSigned(secret, body, headers) {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

const server = createServer(async (request, response) => {
  const body = await bodyOf(request);
  if (request.url === '/_secrets') secrets = JSON.parse(body);
  else if (request.url === '/_answers') answers = JSON.parse(body);
  else if (request.url === '/_forget') received = [];
  else if (request.url === '/_received') return response.end(JSON.stringify(received));
  else {
    const message = JSON.parse(body);
    const standing = request.url.startsWith('/broken') ? 500 : request.url.startsWith('/gone') ? 410 : undefined;
    const said = standing === undefined && message.type !== 'webhook_test' ? answers.shift() : undefined;
    const status = standing ?? said ?? 204;
    const signed = secrets.map((secret) => isSigned(secret, body, request.headers));
    received.push({ url: request.url, id: request.headers['webhook-id'], status, signed, message });
    response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {});
    return response.end(status === 204 ? undefined : `you said ${body}`);
  }
  response.end();
});
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
