// Carries out database tasks, has Mermaid parse and draw every diagram of their `database-schema.md` in Chromium, and takes pictures to be
// looked at. Comes in: `node diagrams.js <producer> <chromium> <pictures> <task>...`; goes out: the size of each picture, or what is
// wrong and status 1. A diagram that is wider than a screen is wrong.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import puppeteer from 'puppeteer-core';

const chromiumFlags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
// Twice the width of a page: the letters are still half as large as those around them.
const MOST_PIXELS = 2_600;

const [producer, executablePath, pictures, ...tasks] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const browser = await puppeteer.launch({ executablePath, args: chromiumFlags });
try {
  for (const task of tasks) await draw(task);
} finally {
  await browser.close();
}

async function draw(task) {
  const name = basename(task, '.yaml');
  const workspace = mkdtempSync(join(tmpdir(), 'diagrams-'));
  try {
    const output = join(workspace, 'output');
    execFileSync(producer, ['run', task, '--workspace', workspace, '--output', output], { stdio: 'pipe' });
    const [folder] = readdirSync(output);
    const document = readFileSync(join(output, folder, 'documentation/database-schema.md'), 'utf8');
    const diagrams = [...document.matchAll(/```mermaid\n([\s\S]*?)```/g)].map((block) => block[1]);
    assert.ok(diagrams.length > 0, `${name}: no diagram`);
    const page = await browser.newPage();
    await page.setContent('<body style="margin: 0; background: white"><div id="picture"></div></body>');
    await page.addScriptTag({ path: 'node_modules/mermaid/dist/mermaid.min.js' });
    for (const [number, diagram] of diagrams.entries()) {
      const [width, height] = await page.evaluate(drawn, diagram, number);
      await page.setViewport({ width: Math.ceil(width), height: Math.ceil(height) });
      const picture = await page.$('#picture svg');
      await picture.screenshot({ path: join(pictures, `${name}-${number}.png`) });
      console.log(`${name}: diagram ${number + 1} of ${diagrams.length}, ${Math.round(width)} x ${Math.round(height)}`);
      assert.ok(width <= MOST_PIXELS, `${name}: nobody can read a diagram ${Math.round(width)} wide`);
    }
    await page.close();
  } finally {
    rmSync(workspace, { recursive: true, force: true });
  }
}

/** In the page: the diagram in its own size. */
async function drawn(diagram, number) {
  /* global mermaid, document */
  mermaid.initialize({ startOnLoad: false });
  await mermaid.parse(diagram);
  const { svg } = await mermaid.render(`diagram-${number}`, diagram);
  document.getElementById('picture').innerHTML = svg;
  const picture = document.querySelector('#picture svg');
  const { width, height } = picture.viewBox.baseVal;
  picture.style.maxWidth = 'none';
  picture.setAttribute('width', width);
  picture.setAttribute('height', height);
  return [width, height];
}
