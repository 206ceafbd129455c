// An account at a provider, from the environment: what a module of `services/` asks for comes in, the account goes out, or what is missing of
// it. No value is ever part of what is said.

import net from 'node:net';
import { listenAddress } from '../environment.js';
import { logWarning } from '../log.js';
import { Unfit } from './transformations.js';
import { asSent, isAbsent, written } from './values.js';

const DAY_SECONDS = 86_400;

/**
 * @param {object} service what a module of `services/` exports
 * @param {NodeJS.ProcessEnv} [environment]
 * @param {(account: object) => import('./tokens.js').Tokens} [openTokens] for a provider that gives out tokens
 */
export function openAccount(service, environment = process.env, openTokens = undefined) {
  const said = (variable) => environment[variable]?.trim() || undefined;
  const problems = [];
  const credential = {};
  for (const [name, { title, variable, value: given, optional, ...form }] of Object.entries(service.credentials)) {
    const value = given ?? said(variable);
    if (value === undefined && !optional) problems.push(`\`${variable}\` is not set (${title})`);
    else if (value !== undefined && misfit(value, form)) problems.push(`\`${variable}\` ${misfit(value, form)}`);
    else credential[name] = value;
  }
  const instead = insteadOf(service, said(service.baseVariable), problems);
  if (service.system === 'simulated' && instead === undefined) {
    problems.push(`\`${service.baseVariable}\` is not set: ${service.title} is simulated, and this says where (\`producer simulate ${service.provider}\`)`);
  }
  const site = { url: said('PUBLIC_URL')?.replace(/\/+$/, '') };
  const webhook = { url: site.url && service.webhooks && `${site.url}${service.webhooks.path}`, id: said(service.webhookIdVariable), secret: said(service.webhookSecretVariable), kinds: [] };
  // People are sent back to where it listens, until somebody says how it is reached.
  const { host, port } = listenAddress(environment);
  const own = { url: site.url ?? `http://${net.isIPv6(host) ? `[${host}]` : host}:${port}` };
  const setting = settings(service, { credential, site: own }, said);
  const scope = { credential, setting, site, webhook };
  scope.host = new Proxy(service.hosts, { get: (hosts, name) => hosts[name] && addressOf(service, name, scope, instead) });
  const secrets = Object.entries(credential).filter(([name, value]) => value !== undefined && service.credentials[name].secret).map(([, value]) => value);
  if (webhook.secret !== undefined) secrets.push(webhook.secret);
  // While it is replaced, calls are signed with the one before as well.
  const webhookBefore = said(`${service.webhookSecretVariable}_BEFORE`);
  if (webhookBefore !== undefined) secrets.push(webhookBefore);
  const account = { service, name: service.name, scope, secrets, webhookBefore, instead, problems, endings: endingsOf(service, said), base: (host, told = scope) => base(service, host, told, instead) };
  const isShared = Object.values(service.authentication).some(({ oauth2 }) => oauth2?.isShared);
  if (isShared && !said('AUTH_SECRET')) problems.push('`AUTH_SECRET` is not set: `producer secrets export` tells what the servers of this database share');
  return openTokens ? Object.assign(account, { tokens: openTokens(account) }) : account;
}

/** When credentials end of which somebody has said when they were set, in seconds since 1970. */
function endingsOf({ credentials }, said) {
  const ending = ([credential, { variable, endsAfterDays }]) => {
    const setAt = endsAfterDays === undefined || variable === undefined ? undefined : said(`${variable}_SET_AT`);
    if (setAt === undefined) return [];
    const time = Date.parse(setAt);
    if (Number.isNaN(time)) logWarning(`\`${variable}_SET_AT\` is no time: write it as 2026-01-31`);
    return Number.isNaN(time) ? [] : [{ credential, endsAt: Math.floor(time / 1000) + endsAfterDays * DAY_SECONDS }];
  };
  return Object.entries(credentials).flatMap(ending);
}

const made = {
  digits: ['digits', /^\d*$/],
  hex: ['digits of hex', /^[0-9a-f]*$/i],
  word: ['letters, digits, `_`, `-` and `.`', /^[\w.-]*$/],
  base64: ['Base64', /^[A-Za-z0-9+/=]*$/],
  pem: ['a block of PEM', /^\s*-----BEGIN /],
};

/** What keeps a text from being what is meant; `undefined` where nothing does. */
function misfit(text, { startsWith, minLength = 0, maxLength = Infinity, characters, testStartsWith }) {
  if (startsWith && !startsWith.some((start) => text.startsWith(start))) return `begins with ${startsWith.map((start) => `\`${start}\``).join(' or ')}`;
  if ([...text].length < minLength) return `has at least ${minLength} characters`;
  if ([...text].length > maxLength) return `has at most ${maxLength} characters`;
  if (characters && !made[characters][1].test(text)) return `is made of ${made[characters][0]}`;
  if (testStartsWith && !testStartsWith.some((start) => text.startsWith(start))) return 'is of the live system, and the task says `sandbox: true`';
  return undefined;
}

/** What is simulated is on this machine: by number, unencrypted. Every other address could be anybody's. */
function insteadOf(service, url, problems) {
  if (url === undefined) return undefined;
  const { protocol, hostname, pathname, search, username } = URL.canParse(url) ? new URL(url) : {};
  const address = hostname?.replace(/^\[|\]$/g, '') ?? '';
  const isHere = (net.isIPv4(address) && address.startsWith('127.')) || address === '::1';
  if (protocol === 'http:' && isHere && pathname === '/' && !search && !username) return url.replace(/\/+$/, '');
  problems.push(`\`${service.baseVariable}\` is \`http://127.0.0.1:PORT\`, for a provider that is simulated on this machine`);
  return undefined;
}

/** Where nobody has given one its default counts; one that is named by another default is given before. */
function settings(service, scope, said) {
  const setting = {};
  for (const [name, { variable, value, default: otherwise, type }] of Object.entries(service.settings)) {
    const text = value ?? (variable && said(variable)) ?? written(otherwise?.({ ...scope, setting }), asSent);
    setting[name] = isAbsent(text) ? undefined : ofKind(text, type);
  }
  return setting;
}

function ofKind(text, type) {
  if (type === 'integer' && /^-?\d+$/.test(text)) return Number(text);
  if (type === 'boolean') return { true: true, false: false }[text] ?? text;
  if (type === 'list' || type === 'json') return JSON.parse(text);
  return text;
}

/** What is said of a host's address; nothing where what is simulated has none. */
function addressOf(service, host, scope, instead) {
  if (instead !== undefined || service.system === 'simulated') return instead;
  const { live, sandbox } = service.hosts[host];
  return written((service.system === 'test' && sandbox ? sandbox : live)(scope), asSent);
}

/** The beginning of every address at a host, which lies where it may. */
function base(service, host, scope, instead) {
  if (instead !== undefined) return instead;
  if (service.system === 'simulated') throw new Unfit(`${service.title} is simulated, and nothing says where`);
  const { within } = service.hosts[host];
  const address = addressOf(service, host, scope)?.replace(/\/+$/, '');
  const isPlain = URL.canParse(address ?? '') && /^https:\/\/[^?#@\\\s]+$/.test(address);
  const name = isPlain ? new URL(address).hostname.toLowerCase() : '';
  const liesWithin = within === undefined || within.some((domain) => name === domain || name.endsWith(`.${domain}`));
  if (!isPlain || !liesWithin) throw new Unfit(`the address of the host \`${host}\` is none, or lies elsewhere than it may`);
  return address;
}
