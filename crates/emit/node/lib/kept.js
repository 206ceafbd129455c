// Answers that everybody may keep, kept here too: whoever asks the same is answered without the database, until a procedure of this
// process has written what they tell of, or they are too old.

// What all of them may take together, and one of them at most, in characters.
const MOST = 32 * 1024 * 1024;
const MOST_OF_ONE = 1024 * 1024;
// What an answer takes beside its body and what was asked, about.
const ASIDE = 512;

// What was asked -> { answer, madeAt, versions, weight }, the oldest first.
const answers = new Map();
let taken = 0;
// Table -> how often it was written.
const written = new Map();

/** The tables were written: what was told of them is no longer so. */
export function changed(tables) {
  for (const table of tables) written.set(table, versionOf(table) + 1);
}

/**
 * The answer to what is asked, where there is a good one. Where there is none, the one that the request gets is kept.
 * @param {{ seconds: number, tables: string[] }} keeping how long it is good, and what it tells of
 */
export function keptAnswer(request, { seconds, tables }) {
  const key = [request.route, request.target, request.header('accept'), request.header('prefer')].join('\n');
  const versions = tables.map(versionOf).join();
  const known = answers.get(key);
  const age = known && (performance.now() - known.madeAt) / 1000;
  if (known && known.versions === versions && age < seconds) {
    request.found = 'hit';
    return { ...known.answer, headers: { ...known.answer.headers, Age: String(Math.floor(age)) } };
  }
  request.found = 'miss';
  request.keeping = { key, versions };
  return undefined;
}

/** Keeps a whole answer, where the request has asked for one that may be kept; others are as if nobody had asked. */
export function keep({ keeping }, answer) {
  if (!keeping || answer?.status !== 200 || answer.rest || answer.text.length > MOST_OF_ONE) return;
  const { key, versions } = keeping;
  forget(key);
  const weight = key.length + answer.text.length + ASIDE;
  answers.set(key, { answer, madeAt: performance.now(), versions, weight });
  taken += weight;
  while (taken > MOST) forget(answers.keys().next().value);
}

function forget(key) {
  taken -= answers.get(key)?.weight ?? 0;
  answers.delete(key);
}

function versionOf(table) {
  return written.get(table) ?? 0;
}
