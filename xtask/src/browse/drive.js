// Carries out the sample task about products, serves it with both servers, opens the reference page of each in Chromium, gives it an
// API key, and has it call the API; then uses the emitted client as a page would. Comes in: `node drive.js <producer> <task> <packages of the application> <chromium> <pictures>`;
// goes out: a line for each server and pictures in that folder, or what is wrong and status 1.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

const PATIENCE = 30_000;
const chromiumFlags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
// The first endpoint of the task: it creates a product.
const first = '.opblock-post';

const [producer, task, packages, executablePath, pictures] = process.argv.slice(2);
const workspace = mkdtempSync(join(tmpdir(), 'browse-'));
const servers = [];
try {
  const ask = (...words) => execFileSync(producer, [...words, '--workspace', workspace], { encoding: 'utf8', stdio: 'pipe' });
  ask('run', task, '--output', join(workspace, 'output'));
  const key = ask('keys', 'create', '--name', 'browse').trim();
  const [folder] = readdirSync(join(workspace, 'output'));
  const application = join(workspace, 'output', folder);
  symlinkSync(packages, join(application, 'node_modules'));

  const native = await listening(producer, ['serve', '--listen', '127.0.0.1:0', '--workspace', workspace]);
  const client = readFileSync(join(application, 'client/products-articles-client.js'), 'utf8');
  await browse('native', native, key, client);
  const settings = { HOST: '127.0.0.1', PORT: '0', DATABASE_URL: `file:${workspace}/.producer/data/embedded.sqlite` };
  const node = await listening('node', ['server.js'], { cwd: application, env: { ...process.env, ...settings } });
  await browse('node', node, key, client);
} finally {
  for (const server of servers) server.kill('SIGKILL');
  rmSync(workspace, { recursive: true, force: true });
}

/** Starts a server. @returns {Promise<string>} its URL */
function listening(command, words, options) {
  const server = spawn(command, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  servers.push(server);
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (chunk) => {
      said += chunk;
      const url = /listening on (http:\/\/[0-9.:]+)\n/.exec(said)?.[1];
      if (url) resolve(url);
    };
    server.stdout.on('data', hear);
    server.stderr.on('data', hear);
    server.on('error', reject);
    server.on('exit', () => reject(new Error(`${command} ended:\n${said}`)));
  });
}

async function browse(name, server, key, client) {
  const userDataDir = join(workspace, `profile-${name}`);
  const browser = await puppeteer.launch({ executablePath, userDataDir, args: chromiumFlags });
  try {
    const page = await browser.newPage();
    const requests = await visit(page, server, key, join(pictures, name));
    console.log(`ok    ${name}: ${requests} requests, all to ${server}`);
    const records = await useClient(await browser.newPage(), server, key, client);
    console.log(`ok    ${name}: the client read ${records} records`);
  } finally {
    await browser.close();
  }
}

async function visit(page, server, key, folder) {
  mkdirSync(folder, { recursive: true });
  const picture = (name) => page.screenshot({ path: join(folder, `${name}.png`) });
  const click = async (selector) => (await page.waitForSelector(selector, { visible: true })).click();
  page.setDefaultTimeout(PATIENCE);
  await page.setViewport({ width: 1200, height: 900 });
  const requests = [];
  const complaints = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));

  await page.goto(`${server}/docs`);
  await page.waitForSelector('.opblock');
  await picture('page');
  assert.equal(await page.title(), 'products-articles API');

  await click('.authorize');
  await page.waitForSelector('.auth-container input');
  await picture('key');
  await page.type('.auth-container input', key);
  await click('.auth-container button[type=submit]');
  await click('.btn-done');

  await click(`${first} .opblock-summary-control`);
  await click(`${first} .try-out__btn`);
  const answered = page.waitForResponse((response) => response.request().method() === 'POST');
  await click(`${first} .execute`);
  const answer = await answered;
  assert.equal(answer.status(), 201, await answer.text());
  assert.equal(answer.request().headers()['x-api-key'], key);
  const shown = `${first} .live-responses-table tbody .response-col_status`;
  await page.waitForSelector(shown);
  assert.match(await page.$eval(shown, (cell) => cell.innerText), /^201/);
  await page.$eval(shown, (cell) => cell.scrollIntoView({ block: 'center' }));
  await picture('answer');

  await page.reload();
  await page.waitForSelector('.opblock');
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!stored.includes(key.slice(0, 8)), `the key is kept: ${stored}`);
  assert.equal(await page.$('.authorize.locked'), null, 'the page is still authorized after a reload');

  assert.deepEqual(requests.filter((url) => !url.startsWith(`${server}/`) && !url.startsWith('data:')), []);
  assert.deepEqual(complaints, []);
  return requests.length;
}

/** Uses the emitted client as a script of a page does. @returns {Promise<number>} how many records it read */
async function useClient(page, server, key, client) {
  // The page may have any script: it is not about the policy of this API's own page.
  await page.setBypassCSP(true);
  await page.goto(`${server}/healthz`);
  const read = await page.evaluate(async (source, apiKey) => {
    const script = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const { ProductsArticlesClient } = await import(script);
    const api = new ProductsArticlesClient({ baseUrl: location.origin, apiKey });
    for (const stock of [1, 2, 3]) await api.createProduct({ name: 'Lamp', stock });
    const stocks = [];
    for await (const { stock } of api.allProducts({ limit: 2, name: 'Lamp', sort: 'created_at' })) stocks.push(stock);
    return stocks;
  }, client, key);
  assert.deepEqual(read.slice(-3), [1, 2, 3]);
  return read.length;
}
