/** `serve()`: a handler on whatever sockets this process was given, or opens itself (SPEC §6). */

import type { RequestListener, Server } from "node:http";
import type { IdlePolicy } from "../control/messages.ts";
import { parseAddress } from "../core/address.ts";
import { SCOREBOARD_BYTES } from "../core/scoreboard-layout.ts";
import { announceReady, reportMaxRequests } from "./control-channel.ts";
import { type Protocol, readEnvironment, type WorkerEnvironment } from "./environment.ts";
import type { FetchHandler } from "./fetch/tier.ts";
import type { GatewayHandler } from "./gateway-lane.ts";
import { type Handlers, handlersOfModule, handlersOfValue, KNOWN_FORMS } from "./handlers.ts";
import { stopWhenTold, surviveLostOutput } from "./lifecycle.ts";
import { openScoreboard, Scoreboard } from "./scoreboard.ts";
import type { ListenTarget, WorkerServer } from "./server.ts";
import { createWorkerServer } from "./servers.ts";
import { sharedWorker } from "./shared.ts";

/** Everything that `serve()` takes for a handler. */
export type Handler =
  | RequestListener
  | Server
  /** A Hono app, or whatever else has the web-standard `fetch`. */
  | { fetch: FetchHandler }
  /** A Koa app. */
  | { callback(): RequestListener }
  /** A Fastify app. */
  | { routing: RequestListener; ready(): PromiseLike<unknown> }
  /** The fast lane, and the other two FastCGI roles. */
  | { gateway?: GatewayHandler; authorizer?: GatewayHandler; filter?: GatewayHandler };

/** Where to serve when nobody has said it; under a supervisor the pool's configuration does, and these are not looked at. */
export interface ServeOptions {
  /** `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/app.sock`. @default "127.0.0.1:8080" */
  readonly listen?: string;
  /** @default "http" */
  readonly protocol?: Protocol;
}

export interface Served {
  /** Resolves once connections are accepted. */
  readonly ready: Promise<void>;
  /** Such as `http://127.0.0.1:8080`, or `fastcgi on fd 0`; `undefined` before `ready`. */
  readonly address: string | undefined;
  /** Takes no new connection and resolves when the active requests are done. The process goes on. */
  close(): Promise<void>;
}

export type ServeFunction = (handler: Handler, options?: ServeOptions) => Served;

/**
 * Serves `handler` on the pool's sockets, or on fd 0 as spawn-fcgi and the like leave it, or alone on `options.listen`.
 *
 * @example
 * import { serve } from "gwpm";
 * serve((request, response) => response.end("hello\n"));
 *
 * @throws Error when it is called a second time: a process has one set of sockets
 */
export function serve(handler: Handler, options: ServeOptions = {}): Served {
  const shared = sharedWorker(serveOnce);
  if (shared.served) throw new Error("serve() has been called already; a worker has one handler");
  shared.served = true;
  return shared.serve(handler, options);
}

/** What this copy of the package does when it is the one to serve. */
export function serveOnce(handler: Handler, options: ServeOptions = {}): Served {
  return new Service(handlersOf(handler), readEnvironment(process.env), options);
}

/** For the program of `script` pools: serves what a module has exported. */
export function serveHandlers(handlers: Handlers): Served {
  sharedWorker(serveOnce).served = true;
  return new Service(Promise.resolve(handlers), readEnvironment(process.env), {});
}

class Service implements Served {
  readonly ready: Promise<void>;
  address: string | undefined;
  readonly #environment: WorkerEnvironment;
  #handlers: Handlers | undefined;
  #server: WorkerServer | undefined;

  constructor(handlers: Promise<Handlers>, environment: WorkerEnvironment, options: ServeOptions) {
    this.#environment = environment;
    surviveLostOutput();
    stopWhenTold(this, environment.options.stopMs);
    this.ready = this.#start(handlers, options);
  }

  close(): Promise<void> {
    return this.drain("close");
  }

  async drain(idle: IdlePolicy): Promise<void> {
    await this.#server?.drain(idle);
    await this.#handlers?.close?.();
  }

  async #start(given: Promise<Handlers>, options: ServeOptions): Promise<void> {
    const environment = this.#environment;
    const protocol = environment.protocol ?? options.protocol ?? "http";
    const handlers = await given;
    const server = await createWorkerServer(protocol, handlers, environment, scoreboardOf(environment));
    this.#handlers = handlers;
    this.#server = server;
    const targets = listenTargets(environment, options);
    const places = await Promise.all(targets.map((target) => server.listen(target)));
    this.address = places
      .map((place) => (/^(fd|unix)/.test(place) ? `${protocol} on ${place}` : `${protocol}://${place}`))
      .join(", ");
    if (environment.kind === "alone") console.log(`gwpm: serving ${this.address}`);
    announceReady(server.handsOver);
  }
}

function scoreboardOf({ scoreboardFd, options }: WorkerEnvironment): Scoreboard | undefined {
  const shared = scoreboardFd === undefined ? undefined : openScoreboard(scoreboardFd);
  if (options.maxRequests === null) return shared;
  // Where memory cannot be shared, requests are counted all the same.
  const scoreboard = shared ?? new Scoreboard(new ArrayBuffer(SCOREBOARD_BYTES));
  scoreboard.limitRequests(options.maxRequests, reportMaxRequests);
  return scoreboard;
}

async function handlersOf(handler: Handler): Promise<Handlers> {
  const handlers =
    (await handlersOfValue(handler)) ??
    (typeof handler === "object" && handler !== null ? await handlersOfModule({ ...handler }) : undefined);
  if (handlers === undefined) throw new TypeError(`serve() was given no handler; ${KNOWN_FORMS}`);
  return handlers;
}

function listenTargets(environment: WorkerEnvironment, options: ServeOptions): ListenTarget[] {
  if (environment.kind === "alone") {
    return [{ kind: "address", address: parseAddress(options.listen ?? "127.0.0.1:8080") }];
  }
  const backlogs = environment.options.backlogs ?? [];
  return environment.listenFds.map((fd, i) => ({ kind: "fd", fd, backlog: backlogs[i] ?? 511 }));
}
