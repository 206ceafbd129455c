// A front end's use of the client of the first sample: a form, and what a visitor is told.

import { ApiError, ContactNewsletterClient } from '../client/contact-newsletter-client.js';

declare const process: { argv: string[] };
const [baseUrl = '', apiKey = ''] = process.argv.slice(2);

const sent: string[] = [];
const api = new ContactNewsletterClient({
  baseUrl: new URL(baseUrl),
  apiKey,
  fetch: (address, request) => {
    sent.push(String(address));
    return fetch(address, request);
  },
});

const { data, headers } = await api.submitContact({ name: 'Ada', email: 'ada@example.com', message: 'Hello' });
const id: string = data.id;
const accepted = await api.submitNewsletter({ email: 'ada@example.com', name: null });
const told = await api.submitContact({ name: '', email: 'ada', message: 'Hello' }).then(() => [], (error: unknown) => {
  if (!(error instanceof ApiError) || error.problem?.type !== 'urn:problem-type:validation-failed') throw error;
  return error.problem.errors.map(({ pointer, detail }) => `${pointer} ${detail}`);
});
const seen = [id.length, headers.get('RateLimit-Policy'), accepted.status, accepted.data.status, ...told, sent.length];
const wanted = [36, '"default";q=100;w=60', 202, 'accepted', '/name is required', '/email must be an e-mail address', 3];
if (seen.join() !== wanted.join()) throw new Error(`seen: ${seen}`);

let waits: number | undefined;
for (let count = 0; count < 101 && waits === undefined; count += 1) {
  await api.submitNewsletter({ email: 'ada@example.com' }).catch((error) => {
    if (error.problem?.type !== 'urn:problem-type:rate-limited') throw error;
    waits = error.retryAfter;
  });
}
if (waits === undefined || waits < 1 || waits > 60) throw new Error(`waits ${waits} seconds`);

/** Never called: each line must be refused by the compiler. */
export async function mistakes(): Promise<void> {
  // @ts-expect-error a field is missing
  await api.submitContact({ name: 'Ada', email: 'ada@example.com' });
  // @ts-expect-error a form has no version
  await api.submitContact({ name: 'Ada', email: 'a@b.c', message: 'Hello' }, { ifMatch: '"1"' });
  // @ts-expect-error a base URL is needed
  new ContactNewsletterClient({ apiKey });
}
console.log('done');
