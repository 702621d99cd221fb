/**
 * Everything that happens to pools and workers, as data: one closed union of events, each with its typed cause.
 * The journal stores them, `gwpm events` prints them, `gwpm why` tells them.
 */

/** Why a worker was started. */
export type StartCause =
  | { readonly kind: "pool-start" }
  | { readonly kind: "scale-up"; readonly wanted: number }
  | { readonly kind: "reload"; readonly fromGeneration: number }
  | {
      readonly kind: "replace";
      readonly pid: number;
      readonly because: StopCause["kind"] | ExitCause["kind"];
    }
  | { readonly kind: "retry"; readonly attempt: number };

/** Why a worker was asked to stop. */
export type StopCause =
  | { readonly kind: "reload"; readonly toGeneration: number }
  | { readonly kind: "scale-down"; readonly wanted: number }
  | { readonly kind: "recycle"; readonly by: "operator" }
  | { readonly kind: "asked"; readonly reason: string }
  | { readonly kind: "max-requests"; readonly served: number; readonly limit: number }
  | { readonly kind: "max-lifetime"; readonly ageMs: number; readonly limitMs: number }
  | { readonly kind: "max-memory"; readonly rssBytes: number; readonly limit: number }
  /** Killed, not drained. */
  | { readonly kind: "max-memory-hard"; readonly rssBytes: number; readonly limit: number }
  | { readonly kind: "max-idle"; readonly idleMs: number; readonly limitMs: number }
  | { readonly kind: "drain"; readonly by: string }
  | { readonly kind: "pool-removed" }
  | { readonly kind: "rollback"; readonly generation: number }
  /** A newer supervisor has taken over, and its workers with it. */
  | { readonly kind: "upgrade"; readonly successor: number }
  | { readonly kind: "start-timeout"; readonly limitMs: number }
  | { readonly kind: "orphaned"; readonly formerSupervisor: number }
  | { readonly kind: "supervisor-stop"; readonly fast: boolean };

/** What a process's end turned out to be. */
export type ExitCause =
  /** It ended as it had been asked to. */
  | { readonly kind: "stopped"; readonly cause: StopCause }
  /** It was asked to end, did not within its time, and was killed. */
  | { readonly kind: "killed"; readonly cause: StopCause; readonly afterMs: number }
  /** It ended by itself before it was ready. */
  | { readonly kind: "start-failed" }
  /** It ended by itself after it had been ready. */
  | { readonly kind: "crashed" }
  /** The program could not be run at all. */
  | { readonly kind: "spawn-failed"; readonly error: string };

/** A request that a worker was serving when it died. */
export interface LostRequest {
  readonly method: string;
  readonly uri: string;
  readonly elapsedMs: number;
}

interface Base {
  /** Milliseconds since the epoch. */
  readonly at: number;
}

interface OfWorker extends Base {
  readonly pool: string;
  readonly slot: number;
  readonly pid: number;
  readonly generation: number;
}

interface OfPool extends Base {
  readonly pool: string;
}

export type GwpmEvent =
  | (Base & {
      readonly type: "supervisor-started";
      readonly pid: number;
      readonly version: string;
      readonly configFile: string | null;
    })
  | (Base & { readonly type: "supervisor-stopping"; readonly by: string; readonly fast: boolean })
  | (Base & { readonly type: "supervisor-stopped"; readonly pid: number })
  | (Base & { readonly type: "supervisor-upgrading"; readonly pid: number; readonly by: string })
  /** Told by the new supervisor. */
  | (Base & {
      readonly type: "supervisor-upgraded";
      readonly pid: number;
      readonly version: string;
      readonly formerPid: number;
      readonly tookMs: number;
    })
  /** Told by the old one, which goes on. */
  | (Base & {
      readonly type: "supervisor-upgrade-failed";
      readonly pid: number;
      readonly reason: string;
      /** The new supervisor's last lines, or its worker's. */
      readonly output: readonly string[];
    })
  | (Base & { readonly type: "config-rejected"; readonly errors: readonly string[] })
  | (Base & { readonly type: "warning"; readonly text: string; readonly pool?: string })
  | (OfPool & { readonly type: "pool-started"; readonly listen: readonly string[]; readonly wanted: number })
  | (OfPool & { readonly type: "pool-ready"; readonly generation: number; readonly tookMs: number })
  | (OfPool & { readonly type: "pool-degraded"; readonly reason: string; readonly nextTryAt: number | null })
  | (OfPool & { readonly type: "pool-recovered" })
  | (OfPool & {
      readonly type: "pool-scaled";
      readonly from: number;
      readonly to: number;
      readonly by: string;
    })
  | (OfPool & { readonly type: "pool-drained" })
  | (OfPool & { readonly type: "pool-resumed" })
  | (OfPool & { readonly type: "pool-stopped" })
  | (OfPool & {
      readonly type: "listener-opened";
      readonly address: string;
      readonly how: "bound" | "taken-over";
    })
  | (OfPool & { readonly type: "listener-closed"; readonly address: string })
  | (OfPool & { readonly type: "reload-started"; readonly generation: number; readonly by: string })
  | (OfPool & {
      readonly type: "reload-finished";
      readonly generation: number;
      readonly result: "ok" | "rolled-back";
      readonly reason: string | null;
      readonly tookMs: number;
    })
  | (OfWorker & { readonly type: "worker-starting"; readonly cause: StartCause })
  | (OfWorker & { readonly type: "worker-ready"; readonly tookMs: number })
  | (OfWorker & { readonly type: "worker-draining"; readonly cause: StopCause; readonly deadlineMs: number })
  | (OfWorker & { readonly type: "worker-killing"; readonly cause: StopCause; readonly afterMs: number })
  | (OfWorker & {
      readonly type: "worker-exited";
      readonly code: number | null;
      readonly signal: string | null;
      readonly cause: ExitCause;
      readonly uptimeMs: number;
      readonly requests: number | null;
      readonly lost: readonly LostRequest[];
      /** The last lines that it wrote, for an end that nobody had asked for. */
      readonly output: readonly string[];
    })
  | (OfPool & {
      readonly type: "worker-backoff";
      readonly slot: number;
      readonly attempt: number;
      readonly delayMs: number;
    })
  | (OfPool & {
      readonly type: "orphan-found";
      readonly pid: number;
      readonly slot: number;
      readonly formerSupervisor: number;
    })
  | (OfPool & { readonly type: "orphan-gone"; readonly pid: number; readonly slot: number });

/** An event as the journal numbers it. */
export type JournalEntry = GwpmEvent & { readonly seq: number };
