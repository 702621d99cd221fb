/**
 * What two supervisors say to each other during an upgrade. The old one starts the new one with every listening socket and
 * the run dir's lock on inherited fds, and an IPC channel. The new one prepares (config, sockets, workers), says so, is told
 * to take over, and says when it has. Until that last word the old one can go on as if nothing had been asked.
 *
 * The two may be of different versions: {@link UPGRADE_VERSION} changes when an older or newer one would misunderstand.
 */

import type { LogLine } from "../control/messages.ts";
import type { GwpmEvent } from "../core/events.ts";
import type { ProcessId } from "./run-dir.ts";
import type { Totals } from "./tally.ts";

export const UPGRADE_VERSION = 1;

/** Part of the order that the new supervisor is started with. */
export interface UpgradeOrder {
  readonly version: number;
  readonly predecessor: ProcessId;
  /** Epoch milliseconds. */
  readonly askedAt: number;
  /** Holds the run dir's lock: whoever inherits it holds it too, and so there is no moment without an owner. */
  readonly lockFd: number;
  /** Where the old supervisor has come to be; a changed configuration does not move it. */
  readonly place: Place;
  readonly pools: readonly HandedPool[];
}

export interface Place {
  readonly runDir: string;
  readonly controlSocket: string;
  readonly pidFile: string;
}

export interface HandedPool {
  readonly name: string;
  /** The newest that there has been. */
  readonly generation: number;
  /** How many workers it has, and how many its configuration says: the two differ where it was scaled. */
  readonly wanted: number;
  readonly configured: number;
  readonly listeners: readonly HandedListener[];
}

export interface HandedListener {
  /** As the config file has the address, and as it came out: they differ with port 0. */
  readonly key: string;
  readonly address: string;
  /** In the new process. */
  readonly fd: number;
}

/** Old → new. */
export type ToSuccessor =
  /** The journal, `state.json`, the control socket and the pid file are yours. */
  | {
      readonly kind: "take";
      readonly pools: readonly { readonly name: string; readonly totals: Totals }[];
    }
  /** You are not needed: let your workers finish, and end. */
  | { readonly kind: "abandon"; readonly fast: boolean }
  /** What happens to the old workers, after the hand-over. */
  | { readonly kind: "event"; readonly event: GwpmEvent }
  | { readonly kind: "line"; readonly line: LogLine }
  | { readonly kind: "totals"; readonly pool: string; readonly totals: Totals };

/** New → old. */
export type ToPredecessor =
  | { readonly kind: "progress"; readonly text: string }
  | {
      readonly kind: "failed";
      readonly exitCode: number;
      readonly message: string;
      readonly details: readonly string[];
    }
  /** Every pool is ready. `addresses`: the sockets that it has taken over. */
  | { readonly kind: "prepared"; readonly version: string; readonly addresses: readonly string[] }
  | { readonly kind: "taken" };

/** Hears from a supervisor that has handed over what still happens to its workers. */
export interface Heir {
  readonly pid: number;
  event(event: GwpmEvent): void;
  line(line: LogLine): void;
  totals(pool: string, totals: Totals): void;
}
