/** Notices that nothing has moved for a while. Whose turn it was is for the owner to say. */

export class Silence {
  #timer: NodeJS.Timeout | undefined;
  #verdict: NodeJS.Immediate | undefined;

  /**
   * @param limitMs `null`: never
   * @param onSilence called again after each further silence, until {@link stop}
   */
  constructor(limitMs: number | null, onSilence: () => void) {
    if (limitMs === null) return;
    this.#timer = setTimeout(() => {
      // When this process itself was held up, what has arrived meanwhile is read in this turn of the event loop, after the timers: it counts.
      this.#verdict = setImmediate(() => {
        this.#timer?.refresh();
        onSilence();
      });
    }, limitMs);
  }

  /** Something moved. */
  touch(): void {
    clearImmediate(this.#verdict);
    this.#timer?.refresh();
  }

  stop(): void {
    clearImmediate(this.#verdict);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
