// The cases of a provider come in on standard input, as JSON; what the emitted module that is named makes of each is compared with what the
// case says. The differences go out on standard output.

import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { openAccount } from './lib/provider/account.js';
import { read } from './lib/provider/answer.js';
import { render } from './lib/provider/request.js';

const [, , provider] = process.argv;
const module = await import(`./services/${provider}-integration.js`);
const { account: values, site_url: site, webhook = {}, cases } = JSON.parse(readFileSync(0, 'utf8'));
const service = Object.values(module).find(({ provider: name }) => name === provider);
const account = openAccount(service, { PUBLIC_URL: site });
for (const [name, value] of Object.entries(values)) account.scope[name in service.credentials ? 'credential' : 'setting'][name] = value;
Object.assign(account.scope.webhook, { ...webhook, kinds: (webhook.kinds ?? []).map((kind) => ({ kind })) });
const delivery = { id: 'd-1', key: 'd-1:0', time: '2026-01-31T12:00:00Z' };
const operations = Object.values(module).filter((exported) => exported.description !== undefined);

const told = { compared: 0, unknown: [], differences: [] };
for (const { operation: name, input = {}, page, sends, answers = [] } of cases) {
  const description = operations.find((operation) => operation.description.name === name)?.description;
  if (description === undefined) {
    told.unknown.push(name);
    continue;
  }
  const compare = (what, is, should) => {
    told.compared += 1;
    if (!isDeepStrictEqual(is, should)) told.differences.push({ name, what, is, should });
  };
  if (sends !== undefined) {
    const { sent } = render(description, account, { input, delivery, page: { next: page } });
    compare('method', sent.method, sends.method);
    compare('url', sent.url, sends.url);
    compare('body', sent.body, sends.body ?? '');
    for (const [header, value] of Object.entries(sends.headers ?? {})) {
      compare(header, sent.headers.find(([known]) => known.toLowerCase() === header.toLowerCase())?.[1], value);
    }
  }
  for (const { status, headers = {}, body = '', means, code, answer } of answers) {
    const { outcome } = read(description, service, { status, headers: Object.entries(headers), body: Buffer.from(body), isCut: false });
    compare('means', outcome.means, means);
    if (code !== undefined) compare('code', outcome.code, code);
    if (answer !== undefined) compare('answer', outcome.answer, answer);
  }
}
console.log(JSON.stringify(told));
