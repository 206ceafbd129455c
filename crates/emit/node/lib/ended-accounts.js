// What of accounts is over: sessions, refresh tokens and mailed tokens that nobody can use any more. The native server forgets the same.

// Rows that one transaction forgets.
const FORGOTTEN_AT_ONCE = 500;
const DAY = 24 * 60 * 60 * 1000;
// As long as a session lives that nobody refreshes.
const USED_KEPT = 30 * DAY;

const listSessions = `SELECT id AS name FROM auth_sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ${FORGOTTEN_AT_ONCE}`;
const forgetTokensOfSession = `DELETE FROM auth_refresh_tokens WHERE session_id = ?`;
const forgetSession = `DELETE FROM auth_sessions WHERE id = ?`;
const listUsed = `SELECT hash AS name FROM auth_refresh_tokens WHERE used_at < ? ORDER BY used_at LIMIT ${FORGOTTEN_AT_ONCE}`;
const forgetUsed = `DELETE FROM auth_refresh_tokens WHERE hash = ?`;
const listMailed = `SELECT id AS name FROM auth_mailed_tokens WHERE expires_at < ? ORDER BY expires_at LIMIT ${FORGOTTEN_AT_ONCE}`;
const forgetMailed = `DELETE FROM auth_mailed_tokens WHERE id = ?`;

/**
 * Forgets sessions and mailed tokens a day after their end, and used refresh tokens when no session of their time lives any more.
 * @param {import('./database.js').Database} database
 * @param {number} now milliseconds since 1970
 */
export async function forgetEnded(database, now = Date.now()) {
  const [ended, used] = [new Date(now - DAY), new Date(now - USED_KEPT)];
  while ((await forgetThose(database, listSessions, ended, [forgetTokensOfSession, forgetSession])) > 0);
  while ((await forgetThose(database, listUsed, used, [forgetUsed])) > 0);
  while ((await forgetThose(database, listMailed, ended, [forgetMailed])) > 0);
}

function forgetThose(database, found, before, removes) {
  return database.transaction(async (transaction) => {
    const over = await transaction.many(found, [before]);
    for (const { name } of over) for (const remove of removes) await transaction.run(remove, [name]);
    return over.length;
  });
}
