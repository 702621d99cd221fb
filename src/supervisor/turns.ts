/** Operations that must not interleave, such as reloads and upgrades: one at a time, in the order asked. */

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the operation once those before it are over, however they ended. */
  run<T>(operation: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(operation);
    this.#last = turn.catch(() => {});
    return turn;
  }
}
