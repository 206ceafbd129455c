// Passwords: hashed and compared, slowly and not too many at a time; and those that are guessed first, which nobody may set. What is
// compared with nothing takes as long as what is compared with something.

import { hash, verify } from '@node-rs/argon2';
import { availableParallelism } from 'node:os';
import { Problem } from './problem.js';

// Argon2id (2 by its number), version 19, as the OWASP Password Storage Cheat Sheet has it.
const HASH = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 };
// Of no password: what somebody without an account is compared with.
const OF_NOBODY = '$argon2id$v=19$m=19456,t=2,p=1$aW50ZWdyYXRpb24tY2FzZQ$d72zpVMVrm1EFfoin3NkJo3myipGnC5xoUeKIf0FOQ0';
// Hashes that may wait for their turn; each holds its memory only when it has it.
const WAITING = 64;
const CORES = availableParallelism();

let admitted = 0;
let free = CORES;
const queue = [];

/** @returns {Promise<string>} the PHC string of the password */
export function hashPassword(password) {
  return slowly(() => hash(normal(password), HASH));
}

/** Whether the password is that of the hash; of none it never is. @param {string | null} known */
export function verifyPassword(password, known) {
  return slowly(async () => (await verify(known ?? OF_NOBODY, normal(password))) && known !== null);
}

// One password however a keyboard has composed it.
function normal(password) {
  return password.normalize('NFKC');
}

async function slowly(work) {
  if (admitted >= CORES + WAITING) throw new Problem('overloaded', { busy: true });
  admitted += 1;
  if (free === 0) await new Promise((resolve) => queue.push(resolve));
  else free -= 1;
  try {
    return await work();
  } finally {
    admitted -= 1;
    const next = queue.shift();
    if (next) next();
    else free += 1;
  }
}
