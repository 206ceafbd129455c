// The pages to which the links of mails lead: somebody proves an address, or sets another password, with the token that the link holds.
// The browser keeps the token to itself until it calls the endpoint.

import { readFileSync } from 'node:fs';
import { respondText } from './response.js';

// Only what comes from this server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const read = (name) => readFileSync(new URL(`account-page/${name}`, import.meta.url), 'utf8');
const [html, css, javascript] = ['page.html', 'page.css', 'page.js'].map(read);

/**
 * @param {{ route: Function }} application
 * @param {{ path: string, does: string, calls: string }[]} pages `calls`: the path of the endpoint that does it
 */
export function addAccountPages(application, pages) {
  for (const { path, does, calls } of pages) {
    const folder = path.slice(0, path.lastIndexOf('/'));
    const page = html.replace('{path}', path).replace('{does}', does).replace('{calls}', calls);
    const headers = { 'Content-Security-Policy': policy, 'X-Frame-Options': 'DENY' };
    application.route('GET', path, () => respondText(200, 'text/html; charset=utf-8', page, headers));
    application.route('GET', `${folder}/page.js`, () => respondText(200, 'text/javascript; charset=utf-8', javascript));
    application.route('GET', `${folder}/page.css`, () => respondText(200, 'text/css; charset=utf-8', css));
  }
}
