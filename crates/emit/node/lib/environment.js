// The settings of the process: the environment, and beneath it the file `.env` where there is one.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @param {URL} file variables that are set already win over its lines */
export function loadEnvironment(file) {
  if (existsSync(file)) process.loadEnvFile(fileURLToPath(file));
}

/** @returns {{ host: string, port: number }} */
export function listenAddress(environment = process.env) {
  const port = Number(environment.PORT || 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error('`PORT` must be a number from 0 to 65535');
  return { host: environment.HOST || '127.0.0.1', port };
}
