/** Notices that nothing has moved for a while. Whose turn it was is for the owner to say. */

export class Silence {
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param limitMs `null`: never */
  constructor(limitMs: number | null, onSilence: () => void) {
    if (limitMs === null) return;
    this.#timer = setTimeout(() => {
      this.#timer!.refresh(); // first, so that the owner may stop it
      onSilence();
    }, limitMs);
  }

  /** Something moved. */
  touch(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
