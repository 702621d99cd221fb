/** What a pool needs of the supervisor around it. */

import type { LogLine } from "../control/messages.ts";
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { GwpmEvent } from "../core/events.ts";
import type { RunDir } from "./run-dir.ts";

/** An event without its time, which the emitter adds. */
export type NewEvent = GwpmEvent extends infer E ? (E extends GwpmEvent ? Omit<E, "at"> : never) : never;

export interface PoolContext {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly runDir: RunDir;
  /** Whether another supervisor's workers serve the address too: during an upgrade, the predecessor's or the successor's. */
  isShared(address: Address): boolean;
  emit(event: NewEvent): void;
  logLine(line: LogLine): void;
  /** Runs `handle` in the supervisor's next turn, after which every pool plans anew. */
  enqueue(handle: () => void): void;
}
