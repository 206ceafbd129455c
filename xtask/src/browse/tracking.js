// Has visitors counted at Google Analytics, which is played, from a page with the emitted module and the policy that it names, by either server.
// Comes in: `node tracking.js <producer> <task> <packages of the application> <chromium> <pictures>`; goes out: a line for each server and pictures,
// or what is wrong and status 1. Nothing leaves this machine: what the page asks Google for is answered here.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

const PATIENCE = 20_000;
const MEASUREMENT = 'G-ABC123DEF4';
const chromiumFlags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
// As Google's does with what is in the list, as far as it is asked here: cookies, ids, a page that was seen; silent where it is switched off.
const gtag = `
  const isOff = () => window['ga-disable-${MEASUREMENT}'] === true;
  const visitor = document.cookie.match(/_ga=GA1\\.1\\.([0-9.]+)/)?.[1] ?? '1234567890.1700000000';
  const told = window.told = [];
  const hear = (entry) => {
    if (Object.prototype.toString.call(entry) !== '[object Arguments]') throw new Error('no arguments');
    const [command, ...rest] = entry;
    told.push(command === 'js' ? [command, rest[0] instanceof Date] : [command, ...rest.filter((one) => typeof one !== 'function')]);
    if (isOff()) return;
    if (command === 'config') {
      document.cookie = '_ga=GA1.1.' + visitor + '; path=/';
      document.cookie = '_ga_ABC123DEF4=GS1.1.77; path=/';
      fetch('https://region1.google-analytics.com/g/collect?en=page_view&cid=' + visitor, { method: 'POST', mode: 'no-cors' });
    }
    if (command === 'get') rest[2](rest[1] === 'client_id' ? visitor : '77');
  };
  window.dataLayer.forEach(hear);
  window.dataLayer.push = (entry) => { Array.prototype.push.call(window.dataLayer, entry); hear(entry); };
`;

const [producer, task, packages, executablePath, pictures] = process.argv.slice(2);
const workspace = mkdtempSync(join(tmpdir(), 'browse-'));
const running = [];
let site;
try {
  mkdirSync(pictures, { recursive: true });
  const played = spawn(producer, ['simulate', 'google_analytics', '--workspace', workspace], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(played);
  const said = await heard(played, /api_secret\s+(\S+)/);
  const address = /http:\/\/127\.0\.0\.1:\d+/.exec(said.text)[0];
  const secret = said.match[1];
  writeFileSync(join(workspace, 'producer.toml'), `[simulated]\ngoogle_analytics = "${address}"\n`);
  const ask = (words, input) => execFileSync(producer, [...words, '--workspace', workspace], { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });
  ask(['secrets', 'set', 'GOOGLE_ANALYTICS_API_SECRET'], secret);
  ask(['run', task, '--output', join(workspace, 'output')]);
  const moduleFile = join(workspace, 'output/task_analytics/services/analytics-tracking.js');
  const text = readFileSync(moduleFile, 'utf8');
  assert(!text.includes(secret));
  writeFileSync(join(workspace, 'tracking.mjs'), text);
  const { contentSecurityPolicy } = await import(pathToFileURL(join(workspace, 'tracking.mjs')));
  const application = join(workspace, 'output/task_site');
  symlinkSync(packages, join(application, 'node_modules'));
  const settings = {
    HOST: '127.0.0.1', PORT: '0', DATABASE_URL: `file:${workspace}/.producer/data/embedded.sqlite`, PUBLIC_URL: 'http://127.0.0.1',
    GOOGLE_ANALYTICS_API_SECRET: secret, GOOGLE_ANALYTICS_API_BASE: address,
  };
  const servers = {
    native: () => spawn(producer, ['serve', '--listen', '127.0.0.1:0', '--workspace', workspace], { stdio: ['ignore', 'pipe', 'pipe'] }),
    node: () => spawn('node', ['server.js'], { cwd: application, env: { ...process.env, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] }),
  };
  for (const [name, start] of Object.entries(servers)) {
    const server = start();
    running.push(server);
    const api = (await heard(server, /listening on (http:\/\/[0-9.:]+)\n/)).match[1];
    await visit(name, api, address, contentSecurityPolicy, text);
    server.kill('SIGKILL');
  }
} finally {
  for (const one of running) one.kill('SIGKILL');
  site?.close();
  rmSync(workspace, { recursive: true, force: true });
}

/** What a process says until that is in it. */
function heard(child, wanted) {
  return new Promise((resolve, reject) => {
    let text = '';
    const hear = (chunk) => {
      text += chunk;
      const match = wanted.exec(text);
      if (match) resolve({ text, match });
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`it ended:\n${text}`)));
  });
}

async function until(what, isSo) {
  for (const begun = Date.now(); ; await sleep(50)) {
    const found = await isSo();
    if (found) return found;
    assert(Date.now() - begun < PATIENCE, what);
  }
}

async function visit(name, api, address, policy, text) {
  const own = { 'default-src': ["'self'"], 'connect-src': ["'self'", api] };
  for (const [directive, sources] of Object.entries(policy)) own[directive] = [...(own[directive] ?? ["'self'"]), ...sources];
  const header = Object.entries(own).map(([directive, sources]) => `${directive} ${sources.join(' ')}`).join('; ');
  const page = `<!doctype html><meta charset="utf-8"><title>Contact</title><script type="module" src="/page.js"></script>
    <h1>Contact</h1><p id="banner">May we count your visit? <button id="yes">Yes</button> <button id="no">No</button></p>
    <form><input name="name" value="Ada"><button>Send</button></form><p id="state">nobody has agreed</p>`;
  const script = `import { createTracking } from '/tracking.js';
    const tracking = createTracking();
    const state = (said) => { document.querySelector('#state').textContent = said; };
    document.querySelector('#yes').addEventListener('click', () => { tracking.agree(); state('agreed'); });
    document.querySelector('#no').addEventListener('click', () => { tracking.withdraw(); state('withdrawn'); });
    window.send = async (message) => {
      const body = JSON.stringify(await tracking.identified({ name: 'Ada', email: 'ada@example.org', message }));
      const answer = await fetch('${api}/api/contact', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
      return answer.status;
    };
    window.ready = true;`;
  site?.close();
  site = createServer((request, response) => {
    const files = { '/': ['text/html', page], '/page.js': ['text/javascript', script], '/tracking.js': ['text/javascript', text] };
    const [type, body] = files[request.url] ?? ['text/plain', ''];
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': header }).end(body);
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  const browser = await puppeteer.launch({ executablePath, args: chromiumFlags });
  try {
    const tab = await browser.newPage();
    const asked = [];
    const wrong = [];
    tab.on('console', (message) => { if (message.type() === 'error') wrong.push(message.text()); });
    tab.on('pageerror', (error) => wrong.push(String(error)));
    await tab.setRequestInterception(true);
    tab.on('request', (request) => {
      const url = new URL(request.url());
      if (url.hostname === '127.0.0.1') return request.continue();
      asked.push(request.url());
      const isScript = url.href === `https://www.googletagmanager.com/gtag/js?id=${MEASUREMENT}`;
      return request.respond(isScript ? { contentType: 'text/javascript', body: gtag } : { status: 204, headers: { 'Access-Control-Allow-Origin': '*' } });
    });
    const hits = async () => (await (await fetch(`${address}/_simulator/objects/hit`)).json()).objects;
    const before = (await hits()).length;
    await tab.goto(`http://127.0.0.1:${site.address().port}/`);
    await tab.waitForFunction('window.ready');
    const cookies = () => tab.evaluate(() => document.cookie);

    // Nobody has agreed: nothing is asked for, kept or counted.
    assert.equal(await tab.evaluate(() => window.send('Before.')), 201);
    assert.deepEqual([asked, await cookies(), await tab.evaluate(() => typeof window.dataLayer)], [[], '', 'undefined']);
    await tab.screenshot({ path: join(pictures, `tracking-${name}-before.png`) });

    // The visitor agrees: the page is counted by the page, the form by the server, under one id.
    await tab.click('#yes');
    await until('a page that was seen', () => asked.find((url) => url.includes('g/collect?en=page_view&cid=1234567890.1700000000')));
    assert.equal(await tab.evaluate(() => window.send('Agreed.')), 201);
    const told = await until('a hit of the server', async () => (await hits()).slice(before).at(0));
    assert.deepEqual([told.client_id, told.name, told.params.session_id], ['1234567890.1700000000', 'generate_lead', '77']);
    assert.match(await cookies(), /_ga=/);
    assert.deepEqual((await tab.evaluate(() => window.told)).slice(0, 3), [
      ['consent', 'default', { analytics_storage: 'granted', ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied' }],
      ['js', true],
      ['config', MEASUREMENT, { allow_google_signals: false }],
    ]);
    await tab.screenshot({ path: join(pictures, `tracking-${name}-agreed.png`) });

    // The visitor withdraws: the cookies go, and what follows is nobody's visit.
    await tab.click('#no');
    const seen = asked.length;
    assert.equal(await tab.evaluate(() => window.send('Withdrawn.')), 201);
    assert.equal(await cookies(), '');
    assert.equal(await tab.evaluate((id) => window[`ga-disable-${id}`], MEASUREMENT), true);
    await sleep(1500);
    assert.deepEqual([asked.length, (await hits()).length - before], [seen, 1]);

    // And agrees again: the script is there already.
    await tab.click('#yes');
    assert.equal(await tab.evaluate(() => window.send('Again.')), 201);
    await until('another hit of the server', async () => (await hits()).length - before === 2);
    assert.equal(asked.filter((url) => url.includes('gtag/js')).length, 1);
    assert.deepEqual(wrong, []);
    console.log(`${name}: nothing before the visitor agrees, one id on both sides behind it, nothing once withdrawn; no breach of the policy`);
  } finally {
    await browser.close();
  }
}
