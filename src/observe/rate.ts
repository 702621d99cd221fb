/** How fast a counter grows. */

/** How far back the rate looks. */
const WINDOW_MS = 5_000;

export class Rate {
  #samples: { readonly at: number; readonly total: number }[] = [];

  /** Notes the counter's value. @param now monotonic milliseconds */
  sample(total: number, now: number): void {
    this.#samples = this.#samples.filter(({ at }) => now - at <= WINDOW_MS);
    this.#samples.push({ at: now, total });
  }

  /** Growth a second over the last few seconds; `null` until it has been sampled twice. */
  get perSecond(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at === first.at) return null;
    return Math.max(0, ((last.total - first.total) * 1_000) / (last.at - first.at));
  }
}
