// Passwords that are guessed first: the words that leaks are full of, with what people put around them, runs, and rows of keys; and the
// passwords that leaks hold most often, which are those of zxcvbn-ts 4.1.3 (MIT; (c) 2012-2016 Dan Wheeler and Dropbox, Inc., (c) 2021
// @zxcvbn-ts).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

// In lower case, without digits or marks around them.
export const COMMON = new Set([
  'abc', 'abcd', 'access', 'account', 'admin', 'administrator', 'amanda', 'america', 'andrea', 'andrew', 'angel',
  'anthony', 'apple', 'arsenal', 'asdf', 'ashley', 'austin', 'azerty', 'babygirl', 'bailey', 'banana', 'barcelona',
  'baseball', 'basketball', 'batman', 'blink', 'bonjour', 'buster', 'butterfly', 'changeit', 'changeme', 'charlie',
  'cheese', 'chelsea', 'chocolate', 'computer', 'cookie', 'daniel', 'default', 'dragon', 'easypass', 'facebook',
  'family', 'flower', 'football', 'freedom', 'friends', 'fuckyou', 'george', 'ginger', 'google', 'guest', 'hannah',
  'harley', 'hello', 'hockey', 'hottie', 'hunter', 'iloveyou', 'internet', 'jennifer', 'jessica', 'jordan', 'joshua',
  'justin', 'killer', 'king', 'letmein', 'linkedin', 'liverpool', 'login', 'loveme', 'lovely', 'love', 'maggie',
  'manager', 'master', 'matrix', 'matthew', 'mercedes', 'merlin', 'michael', 'michelle', 'money', 'monkey',
  'mustang', 'myspace', 'naruto', 'nicole', 'ninja', 'nothing', 'office', 'orange', 'pass', 'passcode', 'password',
  'passw', 'passwd', 'passwort', 'motdepasse', 'contrasena', 'senha', 'pepper', 'pokemon', 'princess', 'purple',
  'qazwsx', 'qwer', 'qwert', 'qwertz', 'qwerty', 'qwertyuiop', 'ranger', 'rainbow', 'robert', 'root', 'samsung',
  'secret', 'server', 'shadow', 'soccer', 'sophie', 'spring', 'starwars', 'startrek', 'summer', 'sunshine',
  'superman', 'superuser', 'system', 'taylor', 'temp', 'test', 'tester', 'testing', 'testtest', 'thomas', 'thunder',
  'tigger', 'trustno', 'user', 'username', 'viking', 'wachtwoord', 'welcome', 'whatever', 'william', 'winner',
  'winter', 'autumn', 'yankees', 'zaq',
]);
// Keys that lie beside each other.
const ROWS = ['qwertyuiop', 'qwertzuiop', 'azertyuiop', 'asdfghjkl', 'zxcvbnm', 'qazwsxedcrfvtgbyhnujmikolp'];
// Passwords that leaks hold, by the first digits of the SHA-256 of each in lower case: sorted, one a line.
const BREACHED = readFileSync(new URL('breached-passwords.txt', import.meta.url), 'latin1');
const MARK = 7;
// Letters and digits that a password must have at least, each once.
const DISTINCT = 5;
// The letter that a digit or a mark stands for.
const PLAIN = { 0: 'o', 1: 'i', '!': 'i', 3: 'e', 4: 'a', '@': 'a', 5: 's', $: 's', 7: 't' };

/** Whether a password is guessed with the first ones. */
export function isWeak(password) {
  const lower = password.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const letters = [...lower];
  return new Set(letters).size < DISTINCT || runs(letters) <= 2 || isCommon(lower) || isBreached(lower);
}

/** One that leaks hold most often, whatever digits and marks stand around it. */
function isBreached(lower) {
  const word = lower.replace(/^[^a-z]+|[^a-z]+$/g, '');
  return isListed(lower) || (word.length < lower.length && isListed(word));
}

function isListed(text) {
  const mark = createHash('sha256').update(text).digest('hex').slice(0, MARK);
  const line = (number) => BREACHED.slice(number * (MARK + 1), number * (MARK + 1) + MARK);
  let [from, to] = [0, BREACHED.length / (MARK + 1)];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (line(middle) < mark) from = middle + 1;
    else to = middle;
  }
  return line(from) === mark;
}

/** In how many pieces it falls whose characters follow each other, or repeat. */
function runs(letters) {
  let [count, step] = [1, undefined];
  for (let index = 1; index < letters.length; index += 1) {
    const next = letters[index].codePointAt(0) - letters[index - 1].codePointAt(0);
    if (step === undefined && Math.abs(next) <= 1) step = next;
    else if (step !== next) [count, step] = [count + 1, undefined];
  }
  return count;
}

/** A word that everybody takes, whatever digits and marks stand around it and in the place of its letters. */
function isCommon(lower) {
  const word = [...lower.replace(/^[^a-z]+|[^a-z]+$/g, '')].map((letter) => PLAIN[letter] ?? letter).join('');
  const isKnown = (text) => COMMON.has(text) || (text.length >= 4 && ROWS.some((row) => row.includes(text)));
  const half = word.slice(0, word.length / 2);
  return isKnown(word) || isKnown([...word].reverse().join('')) || (word === half + half && isKnown(half));
}
