// Says when more work has arrived than can be answered in time. Node.js works off everything that has arrived before it looks
// at a timer again: while the last beat is long ago, whoever is next would wait too long, and is refused at once.

const BEAT_INTERVAL = 20;
const LONGEST_TURN = 500;

export class Pressure {
  #now;
  #lastBeat;

  /** @param {{ now?: () => number }} [options] milliseconds on a clock that never steps back */
  constructor({ now = () => performance.now() } = {}) {
    this.#now = now;
    this.beat();
    setInterval(() => this.beat(), BEAT_INTERVAL).unref();
  }

  beat() {
    this.#lastBeat = this.#now();
  }

  isHigh() {
    return this.#now() - this.#lastBeat > LONGEST_TURN;
  }
}
