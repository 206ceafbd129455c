// Ends the process in order: no new connections, what is under way is finished, then the database is closed.

import { logError } from './log.js';

const DRAIN_TIMEOUT = 10_000;
const IDLE_CHECK_INTERVAL = 20;

/** @param {import('node:http').Server} server */
export function stopOnSignals(server, database) {
  const stop = async () => {
    // A second signal finds no listener and ends the process at once.
    process.off('SIGTERM', stop).off('SIGINT', stop);
    await closeServer(server);
    await database.close();
    process.exit(0);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
}

/** @returns {Promise<void>} settled when every connection is closed, after at most DRAIN_TIMEOUT */
export function closeServer(server, { timeout = DRAIN_TIMEOUT } = {}) {
  return new Promise((resolve) => {
    // A connection kept alive becomes idle when its answer is out; nothing else would close it.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_INTERVAL);
    const deadline = setTimeout(() => {
      logError('requests were cut off at shutdown', new Error(`not finished within ${timeout} ms`));
      server.closeAllConnections();
    }, timeout);
    server.close(() => {
      clearInterval(idle);
      clearTimeout(deadline);
      resolve();
    });
  });
}
