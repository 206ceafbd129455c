// The page at `/docs` that shows the API and can call it, and the files that the page needs. They come from this server alone:
// the page asks nothing of any other.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Problem } from './problem.js';
import { respondText } from './response.js';

const packaged = createRequire(import.meta.url);
const { version } = packaged('swagger-ui-dist/package.json');

// Only what comes from this server, and what an issuer says of itself. The style sheet of Swagger UI holds pictures.
const policy = (issuer) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    ["connect-src 'self'", ...issuer].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

// A year: the name of such a file holds its version.
const forever = 'public, max-age=31536000, immutable';

const javascript = 'text/javascript; charset=utf-8';
const css = 'text/css; charset=utf-8';

const compress = promisify(gzip);

const initializer = readFileSync(new URL('reference-page/initialize.js', import.meta.url));

const stylesheet = `/* The page around Swagger UI, which styles itself. */

body {
  margin: 0;
  background: #fafafa;
}

noscript {
  display: block;
  padding: 2rem;
  font-family: sans-serif;
}
`;

/** @param {string} openapi the document's text */
export function addReferencePage(application, openapi) {
  const { info, components } = JSON.parse(openapi);
  const page = pageAbout(info?.title ?? 'API');
  const pageHeaders = { 'Content-Security-Policy': policy(issuers(components?.securitySchemes)), 'X-Frame-Options': 'DENY' };
  application.route('GET', '/docs', () => respondText(200, 'text/html; charset=utf-8', page, pageHeaders));

  const files = new Map([
    ['initialize.js', () => respondText(200, javascript, initializer)],
    ['page.css', () => respondText(200, css, stylesheet)],
    [`swagger-ui-${version}.js`, packedAsset('swagger-ui-bundle.js', javascript)],
    [`swagger-ui-${version}.css`, packedAsset('swagger-ui.css', css)],
    [`favicon-${version}.png`, asset('favicon-32x32.png', 'image/png')],
  ]);
  application.route('GET', '/docs/{file}', (request) => {
    const answer = files.get(request.parameters.file);
    if (!answer) throw new Problem('not_found');
    return answer(request);
  });
}

/** Where the page asks who issues the API's tokens: nowhere, where the document names nobody. */
function issuers(schemes = {}) {
  const urls = Object.values(schemes).flatMap(({ openIdConnectUrl: url }) => (URL.canParse(url ?? '') ? new URL(url) : []));
  return urls.filter(({ host, hostname }) => /^[\w.:[\]-]+$/.test(host) && hostname !== 'issuer.invalid').map(({ origin }) => origin);
}

function pageAbout(title) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</title>
<link rel="icon" type="image/png" href="docs/favicon-${version}.png">
<link rel="stylesheet" href="docs/swagger-ui-${version}.css">
<link rel="stylesheet" href="docs/page.css">
</head>
<body>
<div id="reference"></div>
<noscript>This page needs JavaScript. What it shows is written down in <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-${version}.js"></script>
<script src="docs/initialize.js"></script>
</body>
</html>
`;
}

/** A file of the package as it is. */
function asset(name, contentType) {
  const bytes = readPackaged(name);
  return () => respondText(200, contentType, bytes, { 'Cache-Control': forever, ETag: `"${version}"` });
}

/** The same, packed for whoever takes it so. It is packed once, when it is asked for first. */
function packedAsset(name, contentType) {
  const bytes = readPackaged(name);
  let packed;
  return async (request) => {
    const headers = { 'Cache-Control': forever, Vary: 'Accept-Encoding' };
    if (!acceptsGzip(request)) return respondText(200, contentType, bytes, { ...headers, ETag: `"${version}"` });
    packed ??= compress(bytes, { level: 9 });
    headers['Content-Encoding'] = 'gzip';
    return respondText(200, contentType, await packed, { ...headers, ETag: `"${version}-gzip"` });
  };
}

function readPackaged(name) {
  return readFileSync(packaged.resolve(`swagger-ui-dist/${name}`));
}

// RFC 9110, 12.5.3. Of `gzip` and `*` the first that is named decides; a weight of 0 refuses.
function acceptsGzip(request) {
  const weights = new Map();
  for (const coding of (request.header('accept-encoding') ?? '').split(',')) {
    const [name, weight = 'q=1'] = coding.split(';').map((part) => part.trim().toLowerCase());
    if (!weights.has(name)) weights.set(name, Number(weight.replace(/^q=/, '')));
  }
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}
