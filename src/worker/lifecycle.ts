/** When a worker stops: told by its supervisor or by a signal, after what is active, at its deadline in any case. */

import type { IdlePolicy } from "../control/messages.ts";
import { listenForDrain } from "./control-channel.ts";

export interface Stoppable {
  /** Resolves once nothing is active any more and the app has put its things away. */
  drain(idle: IdlePolicy): Promise<void>;
}

/**
 * Ends the process, with 0, when `service` has drained. The first signal drains, another one ends the process at once.
 *
 * @param stopMs how long a drain may take where nobody has named a deadline
 */
export function stopWhenTold(service: Stoppable, stopMs: number): void {
  let stopping = false;
  let signals = 0;
  const stop = (idle: IdlePolicy, afterMs: number) => {
    // A signal after a drain message closes what is idle; the deadline stays.
    if (!stopping) setTimeout(() => process.exit(0), afterMs);
    stopping = true;
    service.drain(idle).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  listenForDrain((message) => stop(message.idle, message.deadlineMs));
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals > 1) process.exit(1);
      stop("close", stopMs);
    });
  }
}

/** A worker whose supervisor has died goes on serving, also when it prints: an error of stdout or stderr is not the app's. */
export function surviveLostOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
