// Messages by webhook as Standard Webhooks has them (https://www.standardwebhooks.com), whoever they go to: how one is written and signed, what an
// answer means, when it is tried again, and what may be kept of it. No secret, and nothing of what the other side repeats, is written down.

import { createHash, createHmac } from 'node:crypto';
import { send } from '../provider/client.js';

/** What happened longer ago is not told of any more, in milliseconds. */
export const NEWS = 72 * 3_600_000;
// As Standard Webhooks recommends it, in seconds: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
const SCHEDULE = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
export const RETRY = { attempts: SCHEDULE.length + 1, forHours: 120, firstWait: 500, mostWaitSeconds: 14_400 };
const ANSWER_WITHIN = 20_000;
export const LONGEST_WAIT_SECONDS = 3600;
// Most bytes of an answer that are kept.
const MOST_KEPT = 1024;
// Texts of an event that are shorter say too little to be looked for in an answer.
const TELLING = 4;

/**
 * Posts a message.
 * @param {{ url: string, shown: string, event: string, eventId: string, data: object, keys: Buffer[], isAnywhere: boolean, payload: unknown, attempts: number }} message `shown` is what is
 *   kept of the address; one signature for each key; `payload` is what an answer may repeat, and `attempts` how often it was tried in vain
 * @returns what the worker of deliveries takes, and what was sent
 */
export async function post({ url, shown, event, eventId, data, keys, isAnywhere, payload, attempts }) {
  const body = JSON.stringify({ type: event, timestamp: happenedAt(eventId).toISOString(), data });
  const time = String(Math.floor(Date.now() / 1000));
  const headers = [['content-type', 'application/json'], ['webhook-id', eventId], ['webhook-timestamp', time]];
  const signature = (key) => `v1,${createHmac('sha256', key).update(`${eventId}.${time}.${body}`).digest('base64')}`;
  const signed = keys.length > 0 ? [...headers, ['webhook-signature', keys.map(signature).join(' ')]] : headers;
  const startedAt = performance.now();
  const sent = await send({ method: 'POST', url, headers: signed, body }, { within: ANSWER_WITHIN, isOurs: isAnywhere, mostBytes: MOST_KEPT });
  const { outcome, problem, wait } = meaningOf(sent);
  const record = {
    method: 'POST',
    url: shown,
    request_headers: headers,
    request_body: `sha256:${createHash('sha256').update(body).digest('hex').slice(0, 16)}`,
    status: sent.answer?.status ?? null,
    answer_headers: [],
    answer_body: sent.answer ? repeatedOf(sent.answer, payload) : '',
    duration_ms: Math.round(performance.now() - startedAt),
    request_id: null,
  };
  const code = sent.answer && outcome !== 'delivered' ? String(sent.answer.status) : undefined;
  return { sent, carried: { outcome, wait, again: waitOf(attempts), inDoubt: false, code, problem, record: [record], remembered: [] } };
}

/** What came of a message. Whoever gets it twice knows it by its id, so what may have arrived is sent again. */
function meaningOf({ neverConnected, isPermanent, broken, answer }) {
  if (neverConnected !== undefined) return { outcome: isPermanent ? 'permanent' : 'transient', problem: neverConnected };
  if (broken !== undefined) return { outcome: 'transient', problem: broken };
  const { status, headers } = answer;
  if (status >= 200 && status < 300) return { outcome: 'delivered' };
  const problem = `it answered ${status}`;
  if (status === 410) return { outcome: 'permanent', problem };
  if (status !== 429) return { outcome: 'transient', problem };
  const seconds = Number.parseInt(headers.find(([name]) => name.toLowerCase() === 'retry-after')?.[1], 10);
  const wait = Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), LONGEST_WAIT_SECONDS) * 1000;
  return { outcome: 'rate_limited', problem, wait };
}

/** Behind how many milliseconds it is tried again after so many attempts in vain before this one, not in step with others. */
function waitOf(attempts) {
  const seconds = SCHEDULE[attempts];
  return seconds && seconds * 1000 + Math.floor(Math.random() * seconds * 100);
}

/** What an answer says, without what it repeats of the event. */
function repeatedOf({ body, isCut }, payload) {
  const told = textsOf(payload).sort((left, right) => right.length - left.length);
  const said = told.reduce((text, one) => text.replaceAll(one, '[redacted]'), body.toString().replaceAll(/\p{Cc}/gu, ''));
  if (said.length <= MOST_KEPT && !isCut) return said;
  const kept = said.slice(0, MOST_KEPT);
  // What was cut off may have been one of them.
  const half = Math.max(0, ...told.map((one) => begunIn(kept, one)));
  return `${kept.slice(0, kept.length - half)} ...`;
}

/** How many characters at the end of the text are the beginning of the other one. */
function begunIn(text, other) {
  for (let length = other.length - 1; length > 0; length -= 1) if (text.endsWith(other.slice(0, length))) return length;
  return 0;
}

function textsOf(value) {
  if (typeof value === 'string') return value.length >= TELLING ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** When an event happened: its id begins with the time. */
export function happenedAt(eventId) {
  return new Date(Number.parseInt(eventId.replaceAll('-', '').slice(0, 12), 16));
}
