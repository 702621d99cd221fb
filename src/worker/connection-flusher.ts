/** Sends what was gathered in this turn of the event loop, so that a head and several small writes leave as one. */

export interface Flushable {
  flush(): void;
}

export class TurnFlusher {
  #waiting: Flushable[] = [];
  readonly #run = () => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each.flush();
  };

  /** One immediate serves everything of a turn; those who have sent by themselves in the meantime find nothing to do. */
  add(each: Flushable): void {
    if (this.#waiting.push(each) === 1) setImmediate(this.#run);
  }
}
