// One policy: of any `window` seconds at most `quota` requests of one caller pass. Exact, because the time of every
// counted request is kept; bounded, because only callers seen within the window are kept, and at most CALLER_LIMIT.

import { Problem } from './problem.js';

export const CALLER_LIMIT = 100_000;

export class RateLimit {
  #name;
  #quota;
  #window;
  #now;
  #callerLimit;
  #onRefused;
  #counts;
  // Identity -> times of the counted requests, oldest first. The map is in the order of the last counted request.
  #callers = new Map();
  // Identity -> attempts under way.
  #attempts = new Map();

  /**
   * @param {{ name: string, quota: number, window: number, now?: () => number, callerLimit?: number,
   *   onRefused?: (policy: string) => void, counts?: import('./counts.js').Counts }} policy `window` in seconds, `now` in
   *   milliseconds on a clock that never steps back; with `counts` what passed outlives the process
   */
  constructor({ name, quota, window, counts, now = counts?.now ?? (() => performance.now()), callerLimit = CALLER_LIMIT, onRefused = () => {} }) {
    this.#name = name;
    this.#quota = quota;
    this.#window = window;
    this.#now = now;
    this.#callerLimit = callerLimit;
    this.#onRefused = onRefused;
    this.#counts = counts;
    counts?.keep(name, this);
  }

  /** Counts this request of the caller, or throws `rate_limited`. */
  take(request, caller) {
    let now = this.#now();
    const times = this.#timesOf(caller, now);
    if (times.length >= this.#quota) this.#refuse(request, times, now);
    // No two requests of one caller are counted at one time.
    if (times.length > 0) now = Math.max(now, times.at(-1) + 0.001);
    times.push(now);
    this.#counts?.note(this.#name, caller.identity, now);
    this.#callers.delete(caller.identity);
    this.#makeRoom(now);
    this.#callers.set(caller.identity, times);
    this.#announce(request, times, now);
  }

  /** The same of several at once: all of them, or none. */
  takeSeveral(request, caller, count) {
    const now = this.#now();
    const times = this.#timesOf(caller, now);
    if (times.length + count > this.#quota) this.#refuse(request, times, now);
    for (let taken = 0; taken < count; taken += 1) this.take(request, caller);
  }

  /**
   * Begins what counts only if it fails, or throws `rate_limited` where it would be too much if all that is under way failed too. Until the
   * request is settled it takes a place. What it allows says nothing of another policy's standing.
   */
  spare(request, caller) {
    const now = this.#now();
    const times = this.#timesOf(caller, now);
    const underWay = this.#attempts.get(caller.identity) ?? 0;
    if (times.length + underWay >= this.#quota) this.#refuse(request, times, now);
    this.#attempts.set(caller.identity, underWay + 1);
    request.whenSettled(() => {
      const others = this.#attempts.get(caller.identity) - 1;
      if (others === 0) this.#attempts.delete(caller.identity);
      else this.#attempts.set(caller.identity, others);
    });
  }

  /** Says in the answer where the caller stands, and counts nothing. */
  describe(request, caller) {
    const now = this.#now();
    this.#announce(request, this.#timesOf(caller, now), now);
  }

  /** Adds requests that passed before; one that is known already is not added. @param {[string, number][]} past */
  recall(past) {
    const now = this.#now();
    const byIdentity = new Map();
    for (const [identity, time] of past.filter(([, time]) => !this.#isOver(time, now))) {
      if (!byIdentity.has(identity)) byIdentity.set(identity, new Set(this.#callers.get(identity)));
      byIdentity.get(identity).add(time);
    }
    for (const [identity, times] of byIdentity) this.#callers.set(identity, [...times].sort((left, right) => left - right));
  }

  /** Every counted request that still counts. @returns {Iterable<[string, number]>} */
  *passed() {
    const now = this.#now();
    for (const [identity, times] of this.#callers) {
      for (const time of times) if (!this.#isOver(time, now)) yield [identity, time];
    }
  }

  #refuse(request, times, now) {
    this.#announce(request, times, now);
    this.#onRefused(this.#name);
    const retryAfter = Math.max(1, this.#secondsLeft(times, now));
    throw new Problem('rate_limited', { quota: this.#quota, window: this.#window, retryAfter });
  }

  #timesOf(caller, now) {
    const times = this.#callers.get(caller.identity) ?? [];
    while (times.length > 0 && this.#isOver(times[0], now)) times.shift();
    return times;
  }

  // When all places are taken by callers of this window, the one that was quiet longest is forgotten: to serve newcomers
  // is worth more than its count.
  #makeRoom(now) {
    for (const [identity, times] of this.#callers) {
      const expired = times.length === 0 || this.#isOver(times.at(-1), now);
      if (!expired && this.#callers.size < this.#callerLimit) return;
      this.#callers.delete(identity);
    }
  }

  #announce(request, times, now) {
    const left = Math.max(0, this.#quota - times.length);
    request.answerHeaders['RateLimit-Policy'] = `"${this.#name}";q=${this.#quota};w=${this.#window}`;
    request.answerHeaders['RateLimit'] = `"${this.#name}";r=${left};t=${this.#secondsLeft(times, now)}`;
  }

  #secondsLeft(times, now) {
    if (times.length === 0) return 0;
    // The difference first: `times[0] + window - now` would round up past the window.
    return Math.ceil((this.#window * 1000 - Math.max(0, now - times[0])) / 1000);
  }

  #isOver(time, now) {
    return now - time >= this.#window * 1000;
  }
}

/** Who is tried, whether anybody has that name or not. */
export function tried(name) {
  return { identity: `name:${name.toLowerCase()}` };
}
