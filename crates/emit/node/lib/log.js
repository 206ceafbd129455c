// One JSON line per event, on standard error. Callers pass facts that are no secret: never headers, never bodies.

export function logError(message, error, facts = {}) {
  log('error', message, { ...facts, error: describe(error) });
}

export function logWarning(message, facts = {}) {
  log('warning', message, facts);
}

export function logInfo(message, facts = {}) {
  log('info', message, facts);
}

function log(level, message, facts) {
  console.error(JSON.stringify({ time: new Date().toISOString(), level, message, ...facts }));
}

// The stack ends with the causes of the error, the innermost last.
function describe(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.stack : `${error.stack}\ncaused by ${describe(error.cause)}`;
}
