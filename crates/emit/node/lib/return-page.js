// The pages to which a provider sends somebody back who has paid, or has not. What they are comes in, their routes go out; how an order
// stands they ask the API for, from the browser.

import { readFileSync } from 'node:fs';
import { respondText } from './response.js';

// Only what comes from this server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const read = (name) => readFileSync(new URL(`return-page/${name}`, import.meta.url), 'utf8');
const [html, css, javascript] = ['page.html', 'page.css', 'page.js'].map(read);

/**
 * @param {{ route: Function }} application
 * @param {{ path: string, came: 'paid' | 'unpaid', asks: string }[]} pages `asks`: parameters of the address, each with where the API
 *   tells how that stands
 */
export function addReturnPages(application, pages) {
  for (const { path, came, asks } of pages) {
    const page = html.replace('{path}', path).replace('{came}', came).replace('{asks}', asks);
    const headers = { 'Content-Security-Policy': policy, 'X-Frame-Options': 'DENY' };
    application.route('GET', path, () => respondText(200, 'text/html; charset=utf-8', page, headers));
    const folder = path.slice(0, path.lastIndexOf('/'));
    application.route('GET', `${folder}/page.js`, () => respondText(200, 'text/javascript; charset=utf-8', javascript));
    application.route('GET', `${folder}/page.css`, () => respondText(200, 'text/css; charset=utf-8', css));
  }
}
