// The certificate with which the server speaks TLS, taken anew when its files change.

import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { logError, logInfo } from './log.js';

const LOOK_INTERVAL = 5000;

/**
 * The certificate in the files that `TLS_CERTIFICATE` (the chain, the server's own first) and `TLS_KEY` name, in PEM; `undefined` where neither does.
 * @returns {{ cert: Buffer, key: Buffer, files: { cert: string, key: string } } | undefined}
 */
export function openCertificate({ TLS_CERTIFICATE: cert = '', TLS_KEY: key = '' } = process.env) {
  if (cert === '' && key === '') return undefined;
  if (cert === '' || key === '') throw new Error('`TLS_CERTIFICATE` and `TLS_KEY` are files that belong together: set both, or none');
  const files = { cert, key };
  const held = read(files);
  check(held);
  return { ...held, files };
}

/** Has the server take what the files hold, whenever that is something else. What cannot be used is said in the log, once. */
export function keepCertificate(server, { cert, key, files }) {
  let seen = { cert, key };
  const look = () => {
    let held;
    try {
      held = read(files);
    } catch {
      // Between a file that was taken away and its successor there is nothing to be said.
      return;
    }
    if (held.cert.equals(seen.cert) && held.key.equals(seen.key)) return;
    seen = held;
    try {
      check(held);
      server.setSecureContext(held);
      logInfo('another certificate is used from now on');
    } catch (error) {
      logError('the new certificate cannot be used; the one before is', error);
    }
  };
  const looking = setInterval(look, LOOK_INTERVAL).unref();
  server.once('close', () => clearInterval(looking));
}

function read(files) {
  const held = (variable, file) => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`\`${variable}\`: ${error.message}`);
    }
  };
  return { cert: held('TLS_CERTIFICATE', files.cert), key: held('TLS_KEY', files.key) };
}

function check({ cert, key }) {
  const of = (variable, part) => {
    try {
      createSecureContext(part);
    } catch (error) {
      throw new Error(`\`${variable}\`: ${error.message}`);
    }
  };
  of('TLS_CERTIFICATE', { cert });
  of('TLS_KEY', { key });
  of('TLS_CERTIFICATE` and `TLS_KEY', { cert, key });
}
