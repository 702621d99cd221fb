/** The old supervisor, as the new one sees it during an upgrade: at the other end of the IPC channel. */

import { OperationError } from "../control/target.ts";
import { isAlive } from "../system/procfs.ts";
import type { ProcessId } from "./run-dir.ts";
import {
  type Heir,
  type ToPredecessor,
  type ToSuccessor,
  UPGRADE_VERSION,
  type UpgradeOrder,
} from "./upgrade-messages.ts";

export type TakeMessage = Extract<ToSuccessor, { kind: "take" }>;

export class Predecessor {
  readonly order: UpgradeOrder;
  /** Resolves when it tells us to take over; with `null` where it has died, and there is nobody left to tell. */
  readonly call: Promise<TakeMessage | null>;
  #onCall: (take: TakeMessage | null) => void = () => {};
  #onAbandon: (fast: boolean) => void = () => {};
  #abandoned: { readonly fast: boolean } | null = null;
  #heir: Heir | null = null;
  /** What it has told before anybody listened. */
  #early: ToSuccessor[] = [];

  /** @throws OperationError where the old supervisor speaks of things that this version does not know */
  constructor(order: UpgradeOrder) {
    if (order.version !== UPGRADE_VERSION) {
      throw new OperationError(
        "GWPM_UPGRADE_FAILED",
        `the running supervisor hands over in version ${order.version} of the protocol and this one knows version ${UPGRADE_VERSION}; stop and start instead`,
      );
    }
    this.order = order;
    this.call = new Promise((resolve) => {
      this.#onCall = resolve;
    });
    process.on("message", (message) => this.#hear(message as ToSuccessor));
    process.once("disconnect", () => this.#onCall(null));
    if (!process.connected) this.#onCall(null);
  }

  /** It, where it lives on to see its workers out. */
  get keeper(): ProcessId | null {
    const { predecessor } = this.order;
    return isAlive(predecessor.pid, predecessor.startTime) ? predecessor : null;
  }

  tell(message: ToPredecessor): void {
    if (process.connected) process.send?.(message, undefined, {}, () => {});
  }

  /** @param abandon called when it has no use for us any more, also where it has said so already */
  onAbandon(abandon: (fast: boolean) => void): void {
    this.#onAbandon = abandon;
    if (this.#abandoned !== null) abandon(this.#abandoned.fast);
  }

  /** Passes on what still happens to its workers, from the hand-over on. */
  follow(heir: Heir): void {
    this.#heir = heir;
    for (const message of this.#early.splice(0)) this.#pass(message, heir);
  }

  #hear(message: ToSuccessor): void {
    if (message.kind === "take") this.#onCall(message);
    else if (message.kind === "abandon") {
      this.#abandoned = message;
      this.#onAbandon(message.fast);
    } else if (this.#heir === null) this.#early.push(message);
    else this.#pass(message, this.#heir);
  }

  #pass(message: ToSuccessor, heir: Heir): void {
    if (message.kind === "event") heir.event(message.event);
    else if (message.kind === "line") heir.line(message.line);
    else if (message.kind === "totals") heir.totals(message.pool, message.totals);
  }
}
