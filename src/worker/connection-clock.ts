/** One coarse timer for all connections: setting a timer for each request would cost more than the rest of its bookkeeping. */

const TICK_MS = 500;

export interface Ticking {
  /** Called on every tick while it is watched. */
  onTick(now: number): void;
}

export class ConnectionClock {
  /** How many ticks a connection may be idle; `null` = for ever. */
  readonly idleTicks: number | null;
  /** Ticks since the start; stands still while nobody is watched. */
  now = 0;
  readonly #watched = new Set<Ticking>();
  #timer: NodeJS.Timeout | undefined;

  /** @param idleMs how long a connection may wait for its next request, `null` = for ever */
  constructor(idleMs: number | null) {
    this.idleTicks = idleMs === null ? null : ticksFor(idleMs);
  }

  watch(connection: Ticking): void {
    this.#watched.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
  }

  unwatch(connection: Ticking): void {
    this.#watched.delete(connection);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    this.now++;
    for (const connection of this.#watched) connection.onTick(this.now);
  }
}

/** Rounded up, plus the tick that may already have begun: a connection is never closed early. */
export function ticksFor(ms: number): number {
  return Math.ceil(ms / TICK_MS) + 1;
}
