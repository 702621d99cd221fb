/** What crosses process boundaries: the worker's control channel, and the documents of the control API (SPEC §4). */

/** The variables, beside the fds, that tell a worker who it is. */
export const WORKER_ENV = {
  pool: "GWPM_POOL",
  slot: "GWPM_SLOT",
  generation: "GWPM_GENERATION",
  protocol: "GWPM_PROTOCOL",
  listenFds: "GWPM_LISTEN_FDS",
  scoreboardFd: "GWPM_SCOREBOARD_FD",
  /** JSON, {@link WorkerOptions}. */
  options: "GWPM_OPTIONS",
} as const;

/** What a worker's own runtime needs to know of its pool's configuration. Sizes in bytes, times in milliseconds; `null` = no limit. */
export interface WorkerOptions {
  readonly concurrency: number;
  readonly idleConnectionMs: number | null;
  readonly stopMs: number;
  /** Requests after which it says `max-requests`; its own share of the configured limit, with the jitter in it. */
  readonly maxRequests: number | null;
  /** Of each listening fd, in their order: Node calls listen(2) again on a socket that it inherits. 511 where absent. */
  readonly backlogs?: readonly number[];
  readonly wire: {
    readonly maxParams: number;
    readonly maxRequestsPerConnection: number;
    readonly multiplex: boolean;
    readonly basePath: string;
    readonly scgiAbortOnFin: boolean;
  };
}

/** Worker → supervisor, one JSON document a line. The bare string `"ready"` (PM2) means the same as `{gwpm: "ready"}`. */
export type WorkerMessage =
  /** `handOver`: it gives its connections away when it drains, and adopts those of others ({@link HandOverMessage}). */
  | { readonly gwpm: "ready"; readonly handOver?: boolean }
  /** Asks to be replaced: after the current response, new before old. */
  | { readonly gwpm: "recycle"; readonly reason: string }
  /** It has served as many requests as {@link WorkerOptions.maxRequests} says. Said once. */
  | { readonly gwpm: "max-requests" }
  | HandOverMessage;

/** Supervisor → worker. */
export type SupervisorMessage = DrainMessage | HandOverMessage;

/** Take no new work, finish what is active, exit 0. After `deadlineMs` comes `stopSignal`, then SIGKILL. */
export interface DrainMessage {
  readonly gwpm: "drain";
  readonly deadlineMs: number;
  readonly idle: IdlePolicy;
}

/**
 * What becomes of kept connections that wait for their next request. `keep`: they stay until the front end ends them; `hand-over`: they are
 * given to another worker, only said to those that take part in it; `close`: there is no successor.
 */
export type IdlePolicy = "keep" | "hand-over" | "close";

/**
 * In both directions: from the worker that gives a connection away to the supervisor, from there to the one that adopts it, and back. `id` is
 * the number that the sender of `connection` has given it.
 */
export type HandOverMessage =
  /** With the socket as its handle, at a request boundary: nothing has been read that is not answered. The sender reads no further. */
  | { readonly gwpm: "connection"; readonly id: number }
  /** It has a new owner, who reads it from now on: whoever still holds the socket closes it. */
  | { readonly gwpm: "adopted"; readonly id: number }
  /** Nobody takes it: it is the sender's again. */
  | { readonly gwpm: "declined"; readonly id: number };

export type PoolState = "ok" | "starting" | "reloading" | "draining" | "degraded" | "stopped";
export type ProcessState = "starting" | "ready" | "busy" | "draining" | "killing" | "backoff" | "stopped";

/** `gwpm status --json`, SPEC §4. A figure that is not known is `null`, never 0. Times `…At` are ISO 8601. */
export interface StatusDocument {
  readonly schemaVersion: 1;
  readonly supervisor: {
    readonly pid: number;
    readonly version: string;
    readonly uptimeMs: number;
    readonly configFile: string | null;
    readonly state: "starting" | "running" | "stopping";
    /** What an upgrade under way waits for; absent where there is none. */
    readonly upgrade?: string;
    readonly rssBytes: number | null;
    readonly cpuPercent: number | null;
  };
  readonly pools: readonly PoolStatus[];
}

export interface PoolStatus {
  readonly name: string;
  readonly protocol: "fastcgi" | "scgi" | "http";
  readonly runtime: "script" | "command" | "cgi" | "wsgi" | "asgi";
  readonly listen: readonly string[];
  readonly http: string | null;
  readonly mode: "static" | "dynamic" | "ondemand";
  readonly state: PoolState;
  readonly reason: string | null;
  readonly nextTryAt: string | null;
  readonly generation: number;
  readonly probe: {
    readonly ok: boolean;
    readonly lastAt: string | null;
    readonly lastError: string | null;
  } | null;
  readonly workers: {
    readonly wanted: number;
    readonly total: number;
    readonly ready: number;
    readonly idle: number | null;
    readonly busy: number | null;
    readonly starting: number;
    readonly draining: number;
    readonly min: number;
    readonly max: number;
  };
  readonly requests: {
    readonly total: number | null;
    readonly active: number | null;
    readonly perSecond: number | null;
    readonly failed: number | null;
    readonly slow: number | null;
    readonly timedOut: number | null;
    readonly latencyMs: {
      readonly p50: number | null;
      readonly p95: number | null;
      readonly p99: number | null;
      readonly max: number | null;
    };
  };
  readonly queue: {
    readonly length: number | null;
    readonly max: number | null;
    readonly limit: number | null;
  };
  readonly restarts: {
    readonly total: number;
    readonly crashed: number;
    readonly recycled: number;
    readonly reloaded: number;
  };
  readonly lastReload: {
    readonly generation: number;
    readonly result: "ok" | "rolled-back";
    readonly reason: string | null;
    readonly at: string;
  } | null;
  readonly processes: readonly ProcessStatus[];
}

export interface ProcessStatus {
  readonly slot: number;
  readonly pid: number | null;
  readonly generation: number;
  readonly state: ProcessState;
  readonly uptimeMs: number | null;
  readonly requests: number | null;
  readonly active: number | null;
  readonly rssBytes: number | null;
  readonly cpuPercent: number | null;
  readonly eventLoopUtilization: number | null;
  readonly current: readonly { readonly method: string; readonly uri: string; readonly elapsedMs: number }[];
  readonly lastExit: {
    readonly code: number | null;
    readonly signal: string | null;
    readonly cause: string;
    readonly at: string;
  } | null;
}

/** One captured line of a worker's output, as `GET /v1/logs` sends it. */
export interface LogLine {
  readonly at: string;
  readonly pool: string;
  readonly slot: number;
  readonly pid: number;
  readonly stream: "stdout" | "stderr";
  readonly line: string;
  /** True when the line was longer than `logs.maxLine` and was cut there. */
  readonly truncated?: boolean;
}

/** The last line of a followed stream that the server ends by itself: the reader was too slow. No event and no log line has this key. */
export interface StreamNotice {
  readonly gwpm: "dropped";
  readonly detail: string;
}

/** RFC 9457, with the exit code that the CLI should end with. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly exitCode: number;
  readonly errors?: readonly string[];
}

/** Which supervisor has handed over to which. */
export interface UpgradeVerdict {
  readonly from: { readonly pid: number; readonly version: string };
  readonly to: { readonly pid: number; readonly version: string };
  readonly tookMs: number;
}

export interface ReloadVerdict {
  readonly pools: readonly {
    readonly name: string;
    readonly generation: number;
    readonly result: "ok" | "rolled-back" | "added" | "removed" | "unchanged";
    readonly reason: string | null;
    /** The failing worker's last lines. */
    readonly output: readonly string[];
    readonly tookMs: number;
  }[];
}
