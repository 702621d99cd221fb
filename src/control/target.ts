/** What the control server asks of the supervisor. The supervisor implements it; the server and its tests know nothing else of it. */

import type { JournalEntry } from "../core/events.ts";
import type { LogLine, ReloadVerdict, StatusDocument, UpgradeVerdict } from "./messages.ts";

/** Every method that takes a pool's name throws (or rejects with) an {@link OperationError} `GWPM_NO_SUCH_POOL`, status 404, for one that is not there. */
export interface ControlTarget {
  status(): Promise<StatusDocument>;
  /** @returns undefined when healthy, else the reason in a sentence. With `pool`, of that pool alone. */
  health(pool?: string): string | undefined;
  /** Past events since `since` (ms since the epoch) or the last `last`; then, where `follow` is given, each new one. @returns a function that ends the following */
  events(query: { since?: number; last?: number; follow?: (entry: JournalEntry) => void }): {
    past: readonly JournalEntry[];
    unfollow: () => void;
  };
  logs(query: { pools?: readonly string[]; last?: number; follow?: (line: LogLine) => void }): {
    past: readonly LogLine[];
    unfollow: () => void;
  };
  /**
   * Re-reads the configuration and rolls. Resolves once the new generations are ready and take all new work.
   *
   * @param options `accepted` is called once the configuration has been found good and the rolls begin: what `gwpm reload --no-wait` waits for
   */
  reload(options: {
    pools?: readonly string[];
    changed?: boolean;
    accepted?: () => void;
  }): Promise<ReloadVerdict>;
  /** The same roll with the configuration as it is. */
  restart(options: { pools?: readonly string[] }): Promise<ReloadVerdict>;
  /** @param workers an absolute count, or a signed change such as "+2" */
  scale(pool: string, workers: number | string): Promise<{ from: number; to: number }>;
  /** Resolves once the replacement is ready and the old worker drains. Without `slot`, every worker, one after the other. */
  recycle(pool: string, slot?: number): Promise<{ recycled: readonly { slot: number; pid: number }[] }>;
  /** Finishes what is active and takes nothing new. Resolves when no worker is left. */
  drain(pool: string): Promise<void>;
  /** Takes work again after a drain. Resolves when the workers are ready. */
  resume(pool: string): Promise<void>;
  /** Rolls to the configuration before the last reload that changed it. */
  rollback(pool: string): Promise<ReloadVerdict>;
  /**
   * Hands over to a supervisor of the installed version. Resolves once that has taken over.
   *
   * @param program where that version is, if not where the running one was started from: the Node to run it with, its entry
   */
  upgrade(program: { node?: string; main?: string }): Promise<UpgradeVerdict>;
  /** Resolves when every worker has gone, just before the supervisor ends. */
  stop(options: { fast: boolean }): Promise<void>;
}

/** Thrown by a {@link ControlTarget}; the server turns it into a problem document. */
export class OperationError extends Error {
  /** Stable, such as `GWPM_NO_SUCH_POOL`. */
  readonly code: string;
  /** HTTP status of the problem document. */
  readonly status: number;
  /** What the CLI exits with (SPEC §3). */
  readonly exitCode: number;
  readonly errors: readonly string[];

  constructor(
    code: string,
    message: string,
    options: { status?: number; exitCode?: number; errors?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "OperationError";
    this.code = code;
    this.status = options.status ?? 409;
    this.exitCode = options.exitCode ?? 1;
    this.errors = options.errors ?? [];
  }
}
