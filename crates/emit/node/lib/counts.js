// Counts of rate limits that outlive the process: every request that passed is one line of a file, written before the request
// goes on. What the kernel was given it keeps when the process is killed, so that nobody gets a fresh quota by a crash; a
// power cut may lose the last seconds, because no request waits for the disk.
// Lines carry times of the machine's own clock, which no correction of the wall clock moves; the first line says of which start
// of the machine.

import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { logError } from './log.js';

// The file is written anew when it has grown to this many bytes, or to twice what was left of it the last time.
const LEAST_TO_REWRITE = 4 * 1024 * 1024;
// How far two readings of the machine's clock may be apart (`/proc/uptime` counts hundredths), in milliseconds.
const CLOCK_ERROR = 10;
const UPKEEP_INTERVAL = 5000;
// Counts of policies that the application does not have are kept that long, should it have them again.
const UNCLAIMED = 24 * 60 * 60 * 1000;
const PRIVATE = 0o600;

export class Counts {
  #folder;
  #machine = machineClock();
  #origin = performance.now();
  #header;
  /** Absent while another process keeps the file. */
  #file;
  #limits = new Map();
  /** Policy -> callers with times, of limits that are not there yet. */
  #unclaimed = new Map();
  #written = 0;
  #rewriteAt = 0;
  #hasFailed = false;

  /** @param {string} folder made where it is missing; ends in `/` */
  constructor(folder) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#header = `${this.#machine.boot} ${Date.now() - this.#machine.uptime}\n`;
    if (!this.#takeOver()) {
      logError('another process keeps the counts of rate limits', new Error('those of this one do not outlive it meanwhile'));
      this.#adopt();
    }
    setInterval(() => this.upkeep(), UPKEEP_INTERVAL).unref();
  }

  /** Milliseconds on a clock that runs on while no process looks at it. */
  now = () => this.#machine.uptime + performance.now() - this.#origin;

  /** The counts of another task's policies, which may be called alike. */
  of(task) {
    const keep = (policy, limit) => this.keep(`${task}/${policy}`, limit);
    const note = (policy, ...more) => this.note(`${task}/${policy}`, ...more);
    return { now: this.now, keep, note };
  }

  /** Gives a limit what is known of its policy, and remembers it for when the file is written anew. */
  keep(policy, limit) {
    this.#limits.set(policy, limit);
    limit.recall(this.#unclaimed.get(policy) ?? []);
    this.#unclaimed.delete(policy);
  }

  /** Notes that a request passed. */
  note(policy, identity, time) {
    if (this.#file === undefined) return;
    const line = lineOf(policy, identity, time);
    this.#written += line.length;
    try {
      writeSync(this.#file, line);
    } catch (error) {
      if (!this.#hasFailed) logError('counts of rate limits are not kept: they end with this process', error);
      this.#hasFailed = true;
    }
  }

  /** Writes the file anew where it has grown too long, and takes it over where its process is gone. */
  upkeep() {
    try {
      if (this.#file === undefined) this.#takeOver();
      else if (this.#written >= this.#rewriteAt) this.#rewrite();
    } catch (error) {
      logError('the counts of rate limits cannot be written anew', error);
    }
  }

  #takeOver() {
    if (!takeLock(`${this.#folder}rate-limits.lock`)) return false;
    this.#adopt();
    this.#rewrite();
    return true;
  }

  #adopt() {
    for (const [policy, past] of this.#read()) {
      const limit = this.#limits.get(policy);
      if (limit) limit.recall(past);
      else this.#unclaimed.set(policy, past);
    }
  }

  // A line that is not whole is of a request that never went on.
  #read() {
    const found = new Map();
    let lines;
    try {
      lines = readFileSync(`${this.#folder}rate-limits`, 'utf8').split('\n').slice(0, -1);
    } catch (error) {
      if (error.code === 'ENOENT') return found;
      throw error;
    }
    const [boot, wallAtBoot] = (lines.shift() ?? '').split(' ');
    const [ownBoot, ownWallAtBoot] = this.#header.trimEnd().split(' ');
    const shift = boot === ownBoot ? 0 : Number(wallAtBoot) - Number(ownWallAtBoot);
    const now = this.now();
    for (const line of lines) {
      const [text, policy, identity, ...more] = line.split(' ');
      const time = Number(text) + shift + CLOCK_ERROR;
      if (identity === undefined || more.length > 0 || !Number.isFinite(time)) continue;
      if (!found.has(policy)) found.set(policy, []);
      // The wall clock was set back between two starts of the machine. Times stay apart: each is a request.
      found.get(policy).push([identity, time <= now + 2 * CLOCK_ERROR ? time : this.#machine.uptime + (time % 1)]);
    }
    return found;
  }

  #rewrite() {
    const path = `${this.#folder}rate-limits`;
    const file = openSync(`${path}.new`, 'a', PRIVATE);
    ftruncateSync(file);
    const parts = [this.#header];
    for (const [policy, limit] of this.#limits) {
      for (const [identity, time] of limit.passed()) parts.push(lineOf(policy, identity, time));
    }
    for (const [policy, past] of this.#unclaimed) {
      for (const [identity, time] of past.filter(([, time]) => time > this.now() - UNCLAIMED)) parts.push(lineOf(policy, identity, time));
    }
    const text = parts.join('');
    writeFileSync(file, text);
    renameSync(`${path}.new`, path);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = file;
    this.#written = text.length;
    this.#rewriteAt = Math.max(LEAST_TO_REWRITE, 2 * text.length);
  }
}

/** The counts in that folder, or none where it cannot be written: the limits then end with the process. @param {URL} folder */
export function openCounts(folder) {
  try {
    return new Counts(fileURLToPath(folder));
  } catch (error) {
    logError('counts of rate limits are not kept: they end with this process', error);
    return undefined;
  }
}

function lineOf(policy, identity, time) {
  return `${time} ${policy} ${identity}\n`;
}

/** Whether this process keeps the file from now on. A process that is gone holds no lock. */
function takeLock(path) {
  try {
    const holder = Number(readFileSync(path, 'utf8'));
    if (holder !== process.pid && isAlive(holder)) return false;
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  writeFileSync(path, String(process.pid), { mode: PRIVATE });
  return true;
}

function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// How long the machine has been up, in milliseconds, and which start of it this is. Where the system does not say, the wall
// clock has to do.
function machineClock() {
  try {
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
    return { uptime, boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() };
  } catch {
    return { uptime: Date.now(), boot: 'unknown' };
  }
}
