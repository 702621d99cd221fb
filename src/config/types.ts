/** The configuration as the supervisor uses it: validated, defaults filled in, durations in ms, sizes in bytes, paths absolute. */

import type { Address } from "../core/address.ts";
import type { RecyclePolicy } from "../core/recycling.ts";
import type { PathPattern } from "./glob.ts";

export interface EffectiveConfig {
  /** Absolute; `null` when the pools came from the command line (`gwpm run`). */
  readonly configFile: string | null;
  readonly runDir: string;
  readonly controlSocket: string;
  readonly pidFile: string;
  readonly log: {
    readonly level: LogLevel;
    readonly file: string | null;
    readonly format: "json" | "pretty";
  };
  readonly stopTimeoutMs: number;
  readonly daemonize: boolean;
  readonly pools: readonly EffectivePool[];
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface EffectivePool {
  readonly name: string;
  readonly program: Program;
  readonly cwd: string;
  readonly protocol: "fastcgi" | "scgi" | "http";
  readonly listen: readonly ListenSpec[];
  /** The plain-HTTP listener of the built-in gateway. */
  readonly http: Address | null;
  readonly sizing: { readonly mode: "static"; readonly count: number };
  readonly concurrency: number;
  readonly timeouts: {
    readonly startMs: number;
    readonly stopMs: number;
    /** `null`: off. */
    readonly idleConnectionMs: number | null;
  };
  readonly reload: { readonly batch: Batch };
  readonly recycle: RecyclePolicy;
  /** Which changes of files reload the pool; `null`: none. */
  readonly watch: WatchSpec | null;
  /** On top of the supervisor's own environment, unless `clearEnv`. */
  readonly env: Readonly<Record<string, string>>;
  readonly clearEnv: boolean;
  readonly stopSignal: NodeJS.Signals;
  readonly logs: { readonly maxLineBytes: number };
  readonly restart: {
    readonly minMs: number;
    readonly maxMs: number;
    readonly degradedAfter: number;
    readonly windowMs: number;
  };
  readonly wire: {
    readonly maxParams: number;
    readonly maxRequestsPerConnection: number;
    readonly multiplex: boolean;
    readonly basePath: string;
    readonly scgiAbortOnFin: boolean;
  };
}

/** What turns into a worker. Later issues add `command`, `cgi`, `wsgi`, `asgi`. */
export type Program = {
  readonly runtime: "script";
  /** Absolute path of the Node module. */
  readonly file: string;
  readonly args: readonly string[];
  readonly nodeArgs: readonly string[];
};

export interface ListenSpec {
  readonly address: Address;
  /** Length of the accept queue; the kernel cuts it to net.core.somaxconn. */
  readonly backlog: number;
  /** Permission bits of a Unix socket, such as 0o660. */
  readonly mode: number;
  /** User and group name or id of a Unix socket; `null` leaves gwpm's own. */
  readonly owner: string | null;
  readonly group: string | null;
}

/** Which files reload a pool when they change. */
export interface WatchSpec {
  readonly paths: readonly WatchPath[];
  /** On top of what is ignored anyway, such as `node_modules`. */
  readonly ignore: readonly WatchIgnore[];
  /** How long it must have been quiet since the last change. */
  readonly debounceMs: number;
}

export type WatchPath = PathPattern;

/** With `base` null, a name at any depth. */
export type WatchIgnore = PathPattern | { readonly base: null; readonly glob: string };

/** How many workers a reload replaces at a time. */
export type Batch =
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "percent"; readonly percent: number };

/** One thing wrong in a config file. */
export interface ConfigIssue {
  /** Where: `pools[1].timeouts.start`. */
  readonly path: string;
  /** Line and column in the file, both from 1, where the format lets us know. */
  readonly line: number | null;
  readonly column: number | null;
  /** What is wrong and what would be right, in a sentence. */
  readonly message: string;
}

/** Every error of a configuration at once; exit code 78. */
export class ConfigError extends Error {
  readonly code = "GWPM_BAD_CONFIG";
  readonly file: string;
  readonly issues: readonly ConfigIssue[];

  constructor(file: string, issues: readonly ConfigIssue[]) {
    super(`${file} has ${issues.length === 1 ? "an error" : `${issues.length} errors`}`);
    this.name = "ConfigError";
    this.file = file;
    this.issues = issues;
  }
}
