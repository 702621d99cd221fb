/** The workers' latest lines, for `gwpm logs`. */

import type { LogLine } from "../control/messages.ts";

type Follower = { readonly pools: ReadonlySet<string> | null; readonly follow: (line: LogLine) => void };

export class LogLines {
  readonly #capacity: number;
  #lines: LogLine[] = [];
  readonly #followers = new Set<Follower>();

  /** @param capacity how many lines are kept, of all pools together */
  constructor(capacity = 5_000) {
    this.#capacity = capacity;
  }

  append(line: LogLine): void {
    this.#lines.push(line);
    // Cut back in strides, so that an append does not shift thousands.
    if (this.#lines.length >= 2 * this.#capacity) this.#lines = this.#lines.slice(-this.#capacity);
    for (const { pools, follow } of this.#followers) {
      if (pools === null || pools.has(line.pool)) follow(line);
    }
  }

  /** @param pools of which pools; all where it is left out */
  last(count: number, pools?: readonly string[]): LogLine[] {
    const among = pools === undefined ? this.#lines : this.#lines.filter((line) => pools.includes(line.pool));
    return count === 0 ? [] : among.slice(-Math.min(count, this.#capacity));
  }

  /** @returns a function that ends the following */
  follow(follow: (line: LogLine) => void, pools?: readonly string[]): () => void {
    const follower: Follower = { pools: pools === undefined ? null : new Set(pools), follow };
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}
