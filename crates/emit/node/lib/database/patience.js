// How long a database server is waited for that restarts: as long as for a connection of the pool. Whoever asks meanwhile is answered
// when it is back, and what a connection could not answer any more is asked of another one. What may have been done is never done again.

import { setTimeout as sleep } from 'node:timers/promises';

// Milliseconds. How often a server is asked that is away; of those who wait one asks at a time.
const PAUSE = 50;

export class Patience {
  #limit;
  #isAway;
  /** When the server was seen to be away, and how it said so. */
  #seen = -Infinity;
  #said;

  /**
   * @param {number} limit milliseconds
   * @param {(cause: Error) => boolean} isAway whether a server that lets nobody in for this reason may do so in a moment
   */
  constructor(limit, isAway) {
    this.#limit = limit;
    this.#isAway = isAway;
  }

  /**
   * A connection.
   * @template T
   * @param {() => Promise<T>} connect
   * @param {number} [limit]
   * @returns {Promise<T>}
   */
  async connection(connect, limit = this.#limit) {
    const end = performance.now() + limit;
    for (;;) {
      if (performance.now() - this.#seen >= PAUSE) {
        try {
          return await connect();
        } catch (error) {
          if (!this.#isAway(error.cause)) throw error;
          this.#seen = performance.now();
          this.#said = error;
        }
      }
      if (performance.now() + PAUSE > end) throw this.#said;
      await sleep(PAUSE);
    }
  }

  /**
   * What a read gives; where its connection ended, another one is asked.
   * @template T
   * @param {() => Promise<T>} read
   * @returns {Promise<T>}
   */
  async read(read) {
    const end = performance.now() + this.#limit;
    for (;;) {
      try {
        return await read();
      } catch (error) {
        if (!error.isLost || performance.now() + PAUSE > end) throw error;
      }
      await sleep(PAUSE);
    }
  }
}
