/** Those who wait for a pool to get somewhere. */

import { OperationError } from "../control/target.ts";

interface Goal {
  /** What they wait for: `recycle worker 2 of pool "web"`. */
  readonly what: string;
  /** @param now monotonic milliseconds */
  readonly reached: (now: number) => boolean;
  /** Why it cannot be reached any more; `null` while it can. */
  readonly failed: () => OperationError | null;
}

interface Waiter extends Goal {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Waiters {
  #waiting: Waiter[] = [];

  /** Resolves in the turn in which the goal is reached. @throws OperationError in the one in which it has failed */
  until(goal: Goal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...goal, resolve, reject });
    });
  }

  check(now: number): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) {
      if (waiter.reached(now)) waiter.resolve();
      else this.#goOn(waiter, waiter.failed());
    }
  }

  rejectAll(cause: OperationError): void {
    for (const waiter of this.#waiting.splice(0)) this.#reject(waiter, cause);
  }

  #goOn(waiter: Waiter, failure: OperationError | null): void {
    if (failure === null) this.#waiting.push(waiter);
    else this.#reject(waiter, failure);
  }

  #reject({ reject, what }: Waiter, cause: OperationError): void {
    const { code, status, exitCode, errors } = cause;
    reject(new OperationError(code, `Cannot ${what}: ${cause.message}`, { status, exitCode, errors, cause }));
  }
}
