// The servers of a URL that names several, one of which takes changes at a time: `postgresql://user@first:5432,second:5433/shop`.

/** A URL with one host for each that it names. */
export function oneHostEach(url) {
  const [, head, hosts, rest] = /^([^/]*\/\/(?:[^@/?]*@)?)([^/?]*)(.*)$/s.exec(url) ?? [];
  return hosts?.includes(',') ? hosts.split(',').map((host) => `${head}${host}${rest}`) : [url];
}

/** A pool for each server; the first is the one that is asked. */
export class Places {
  #pools;
  /** Connections to servers that were seen to take changes. */
  #primaries = new WeakSet();

  constructor(pools) {
    this.#pools = pools;
  }

  get pool() {
    return this.#pools[0];
  }

  /** Has the next server asked where this one let nobody in. */
  passOver(pool) {
    if (this.#pools[0] === pool) this.#pools.push(this.#pools.shift());
  }

  /** Whether somebody has to see that a server takes changes: where there are others, before a connection is used first. */
  mustLook(client) {
    return this.#pools.length > 1 && !this.#primaries.has(client);
  }

  isPrimary(client) {
    this.#primaries.add(client);
  }

  async end() {
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }
}
