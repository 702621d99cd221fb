/** Who this worker is and where it listens: from the variables of SPEC §5, or from what an older kind of spawner left on fd 0. */

import { WORKER_ENV, type WorkerOptions } from "../control/messages.ts";
import { isListeningSocket, isOpenSocket } from "./inherited-socket.ts";

export type Protocol = "fastcgi" | "scgi" | "http";

export interface WorkerEnvironment {
  /**
   * `supervised`: gwpm started this process; `inherited`: spawn-fcgi, lighttpd or mod_fcgid did, with a listening socket on fd 0;
   * `alone`: nobody, the program opens its own socket.
   */
  readonly kind: "supervised" | "inherited" | "alone";
  /** Already listening; empty when alone. */
  readonly listenFds: readonly number[];
  /** `undefined` when alone: `serve()`'s options say. */
  readonly protocol: Protocol | undefined;
  /** FCGI_WEB_SERVER_ADDRS: the only addresses that may connect; `undefined` for everyone. */
  readonly allowedClients: string | undefined;
  readonly scoreboardFd: number | undefined;
  readonly options: WorkerOptions;
}

/** What the configuration's own defaults come to, for workers that nobody configured. */
export const DEFAULT_OPTIONS: WorkerOptions = {
  concurrency: 100,
  idleConnectionMs: null,
  stopMs: 30_000,
  maxRequests: null,
  wire: {
    maxParams: 1_048_576,
    maxRequestsPerConnection: 1024,
    multiplex: true,
    basePath: "",
    scgiAbortOnFin: false,
  },
};

/**
 * Reads the variables. They stay where they are, for the app to read. A child process of the app inherits them and none of the
 * descriptors that they name; there they count for nothing.
 *
 * @param isSocket whether a socket is open on a descriptor
 * @throws Error when a variable holds what no supervisor writes
 */
export function readEnvironment(env: NodeJS.ProcessEnv, isSocket = isOpenSocket): WorkerEnvironment {
  const fds = env[WORKER_ENV.listenFds];
  const scoreboard = env[WORKER_ENV.scoreboardFd];
  const options = env[WORKER_ENV.options];
  const protocol = readProtocol(env[WORKER_ENV.protocol]);
  const common = {
    allowedClients: env.FCGI_WEB_SERVER_ADDRS || undefined,
    scoreboardFd: scoreboard === undefined ? undefined : readFd(WORKER_ENV.scoreboardFd, scoreboard),
    options: options === undefined ? DEFAULT_OPTIONS : readOptions(options),
  };
  const listenFds = fds?.split(",").map((fd) => readFd(WORKER_ENV.listenFds, fd)) ?? [];
  if (listenFds.length > 0 && listenFds.every(isSocket)) {
    return { ...common, kind: "supervised", listenFds, protocol: protocol ?? "fastcgi" };
  }
  if (isListeningSocket(0)) {
    return { ...common, kind: "inherited", listenFds: [0], protocol: protocol ?? "fastcgi" };
  }
  // A child of a worker, perhaps, which has inherited the names of its parent's sockets and nothing to serve on.
  return { ...common, kind: "alone", listenFds: [], protocol: undefined, scoreboardFd: undefined };
}

function readProtocol(text: string | undefined): Protocol | undefined {
  if (text === undefined || text === "fastcgi" || text === "scgi" || text === "http") return text;
  throw new Error(`${WORKER_ENV.protocol} is "${text}"; it must be fastcgi, scgi or http`);
}

function readFd(name: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new Error(`${name} holds "${text}" where a file descriptor's number is expected`);
}

function readOptions(text: string): WorkerOptions {
  let given: Partial<WorkerOptions>;
  try {
    given = JSON.parse(text) as Partial<WorkerOptions>;
  } catch (cause) {
    throw new Error(`${WORKER_ENV.options} is not JSON`, { cause });
  }
  return { ...DEFAULT_OPTIONS, ...given, wire: { ...DEFAULT_OPTIONS.wire, ...given.wire } };
}
