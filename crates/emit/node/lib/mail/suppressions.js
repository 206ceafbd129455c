// Addresses to which mails do not go: an address comes in, why it is not written to comes out. The native server asks and keeps the same; the
// table compares addresses without their case.

const listReasons = `SELECT reason, suppressed_at FROM mail_suppressions WHERE address = ? ORDER BY reason`;
const findReason = `SELECT reason FROM mail_suppressions WHERE address = ? AND reason = ?`;
const keepReason = `INSERT INTO mail_suppressions (address, reason, suppressed_at, said) VALUES (?, ?, ?, ?)`;

/**
 * @param {import('../database.js').Database} database
 * @param {boolean} isEssential whether the mail goes to who has complained too
 * @returns {Promise<{ reason: string, since: string } | undefined>} `undefined` where the address is written to
 */
export async function suppressionOf(database, address, isEssential) {
  const known = await database.many(listReasons, [address.toLowerCase()]);
  const stops = known.find(({ reason }) => !(isEssential && reason === 'complaint'));
  return stops && { reason: stops.reason, since: new Date(stops.suppressed_at).toISOString() };
}

/** Keeps that nobody has the address; what was said first stays. @param {import('../database.js').Database} database */
export async function suppressBounced(database, address, said) {
  const key = [address.toLowerCase(), 'bounce'];
  try {
    await database.transaction(async (transaction) => {
      if ((await transaction.optional(findReason, key)) === null) await transaction.run(keepReason, [...key, new Date(), said]);
    });
  } catch (error) {
    // Another delivery may have kept it meanwhile.
    if ((await database.optional(findReason, key)) === null) throw error;
  }
}
