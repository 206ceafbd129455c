// How a destination is treated: how many deliveries may be under way, how many may be begun in a time, whether it is spared because it
// fails, how long is waited behind a failure. The time and chance are handed in; nothing is sent or kept here.

// Failures in a row after which a destination is spared, and how long it is spared first and at most, in milliseconds.
const FAILURES = 5;
const FIRST_REST = 1000;
const LONGEST_REST = 300_000;
// Deliveries to a destination that are under way at once.
const AT_ONCE = 32;
const HOUR = 3_600_000;

/** By chance between nothing and a time that doubles with each failure, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export function backOff(random, first, most, failures) {
  return Math.floor(random() * (Math.min(first * 2 ** Math.min(failures - 1, 40), most) + 1));
}

/** Spares a destination that fails; where it was spared long enough a single attempt finds out how it is. */
export class Breaker {
  #random;
  #failures = 0;
  // How often in a row it was spared.
  #rests = 0;
  #isProbed = false;
  /** Until when it is spared; `undefined` while it is well. */
  until;

  constructor(random) {
    this.#random = random;
  }

  get isOpen() {
    return this.until !== undefined;
  }

  /** How many attempts it lets through, of so many. */
  lets(now, wanted) {
    if (this.until === undefined) return wanted;
    return now < this.until || this.#isProbed ? 0 : Math.min(wanted, 1);
  }

  begun(now) {
    if (this.until !== undefined && now >= this.until) this.#isProbed = true;
  }

  /** The destination has answered like one that is well. */
  well() {
    [this.#failures, this.#rests, this.#isProbed, this.until] = [0, 0, false, undefined];
  }

  /** Nothing was learnt of it. */
  unknown() {
    this.#isProbed = false;
  }

  /** Attempts that were under way when it was spared already say nothing new. */
  failed(now) {
    this.#failures += 1;
    if (this.until === undefined ? this.#failures >= FAILURES : now >= this.until && this.#isProbed) this.#rest(now);
  }

  /** It is spared at once, whatever came before. */
  trip(now) {
    if (this.until === undefined || now >= this.until) this.#rest(now);
  }

  /** At least half of the time, so that it is a rest. */
  #rest(now) {
    this.#rests += 1;
    const half = Math.min(FIRST_REST * 2 ** Math.min(this.#rests, 20), LONGEST_REST) / 2;
    this.until = now + half + backOff(this.#random, half, half, 1);
    [this.#failures, this.#isProbed] = [0, false];
  }
}

/** So many at most at once, and then as many as come back with time. */
class Budget {
  #of;
  #left;
  #countedAt;

  constructor(of, now) {
    this.#of = of;
    this.#left = of.limit;
    this.#countedAt = now;
  }

  left(now) {
    const since = Math.min(Math.max(now - this.#countedAt, 0), this.#of.per);
    this.#left = Math.min(this.#left + (since * this.#of.limit) / this.#of.per, this.#of.limit);
    this.#countedAt = now;
    return Math.floor(this.#left);
  }

  spend() {
    this.#left -= 1;
  }
}

export class Lane {
  #service;
  #random;
  #budget;
  breaker;
  underWay = 0;
  /** Nothing is begun before that: the destination has said so. */
  pausedUntil = 0;

  /** @param {{ retry: object, wait: { mostSeconds: number }, atOnce?: number, budget?: { limit: number, per: number } }} service */
  constructor(service, now, random = Math.random) {
    this.#service = service;
    this.#random = random;
    this.#budget = service.budget && new Budget(service.budget, now);
    this.breaker = new Breaker(random);
  }

  /** How many more may be begun. */
  places(now) {
    if (now < this.pausedUntil) return 0;
    const free = Math.max((this.#service.atOnce ?? AT_ONCE) - this.underWay, 0);
    return this.breaker.lets(now, this.#budget ? Math.min(free, this.#budget.left(now)) : free);
  }

  begun(now) {
    this.underWay += 1;
    this.breaker.begun(now);
    this.#budget?.spend();
  }

  /**
   * What came of an attempt: where the delivery is behind it, how often it was tried in vain then, and when it is due.
   * @param {{ attempts: number, triedSince: Date }} one
   * @param {string} outcome see `steps.js`
   * @param {{ wait?: number, retry?: object, again?: number }} [said] how long the destination asks us to wait, in milliseconds; how it is
   *   tried again, where that is not as everything there, and behind how long, where that is no chance
   */
  ended(now, one, outcome, { wait, retry = this.#service.retry, again } = {}) {
    this.underWay -= 1;
    if (outcome === 'delivered' || outcome === 'permanent') this.breaker.well();
    else if (outcome === 'transient' || outcome === 'unknown_effect') this.breaker.failed(now);
    else if (outcome === 'authentication') this.breaker.trip(now);
    else this.breaker.unknown();
    const next = this.#next(now, one, outcome, { asked: wait, retry, again });
    const isLate = now - one.triedSince.getTime() >= retry.forHours * HOUR;
    return isLate && next.state === 'waiting' ? { state: 'dead', attempts: one.attempts + 1, due: now } : next;
  }

  #next(now, { attempts }, outcome, { asked, retry, again }) {
    const failed = attempts + 1;
    const dead = { state: 'dead', attempts: failed, due: now };
    const pause = () => backOff(this.#random, retry.firstWait, retry.mostWaitSeconds * 1000, failed);
    switch (outcome) {
      case 'delivered':
        return { state: 'delivered', attempts, due: now };
      case 'permanent':
      case 'put_aside':
        return dead;
      case 'transient':
      case 'unknown_effect':
        return failed >= retry.attempts ? dead : { state: 'waiting', attempts: failed, due: now + (again ?? pause()) };
      case 'interrupted':
        return { state: 'waiting', attempts: failed, due: now };
      case 'authentication':
        // The breaker has it wait; with another credential it may go at once.
        return { state: 'waiting', attempts, due: now };
      case 'rate_limited': {
        // Nothing was wrong with it: it is no attempt in vain.
        const waits = Math.min(asked ?? pause(), this.#service.wait.mostSeconds * 1000);
        this.pausedUntil = Math.max(this.pausedUntil, now + waits);
        return { state: 'waiting', attempts, due: now + waits };
      }
      default:
        throw new Error(`\`${outcome}\` is no outcome of a delivery`);
    }
  }

  /** When it may begin something again that cannot be begun now. */
  wakesAt(now) {
    return Math.max(now, this.pausedUntil, this.breaker.until ?? 0);
  }
}
