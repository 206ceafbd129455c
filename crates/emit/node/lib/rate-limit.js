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
  // Identity -> times of the counted requests, oldest first. The map is in the order of the last counted request.
  #callers = new Map();

  /**
   * @param {{ name: string, quota: number, window: number, now?: () => number, callerLimit?: number,
   *   onRefused?: (policy: string) => void }} policy `window` in seconds, `now` in milliseconds on a clock that never
   *   steps back
   */
  constructor({ name, quota, window, now = () => performance.now(), callerLimit = CALLER_LIMIT, onRefused = () => {} }) {
    this.#name = name;
    this.#quota = quota;
    this.#window = window;
    this.#now = now;
    this.#callerLimit = callerLimit;
    this.#onRefused = onRefused;
  }

  /** Counts this request of the caller, or throws `rate_limited`. */
  take(request, caller) {
    const now = this.#now();
    const times = this.#timesOf(caller, now);
    if (times.length >= this.#quota) {
      this.#announce(request, times, now);
      this.#onRefused(this.#name);
      const retryAfter = Math.max(1, this.#secondsLeft(times, now));
      throw new Problem('rate_limited', { quota: this.#quota, window: this.#window, retryAfter });
    }
    times.push(now);
    this.#callers.delete(caller.identity);
    this.#makeRoom(now);
    this.#callers.set(caller.identity, times);
    this.#announce(request, times, now);
  }

  /** Says in the answer where the caller stands, and counts nothing. */
  describe(request, caller) {
    const now = this.#now();
    this.#announce(request, this.#timesOf(caller, now), now);
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
    const left = this.#quota - times.length;
    request.answerHeaders['RateLimit-Policy'] = `"${this.#name}";q=${this.#quota};w=${this.#window}`;
    request.answerHeaders['RateLimit'] = `"${this.#name}";r=${left};t=${this.#secondsLeft(times, now)}`;
  }

  #secondsLeft(times, now) {
    if (times.length === 0) return 0;
    // The difference first: `times[0] + window - now` would round up past the window.
    return Math.ceil((this.#window * 1000 - (now - times[0])) / 1000);
  }

  #isOver(time, now) {
    return now - time >= this.#window * 1000;
  }
}
