/** `protocol: "http"`: Node's own HTTP server on the worker's sockets, with the same handlers and the same way to stop. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as NetServer } from "node:net";
import type { Duplex } from "node:stream";
import type { IdlePolicy } from "../../control/messages.ts";
import type { ClientCheck } from "../allowed-clients.ts";
import type { NodeListener } from "../node/tier.ts";
import type { Scoreboard } from "../scoreboard.ts";
import { closed, type ListenTarget, listen, releaseStdin, type WorkerServer } from "../server.ts";

export interface HttpServerOptions {
  readonly listener: NodeListener;
  /** Receives 'upgrade' events, where it listens to them. */
  readonly upgrade?: Server | undefined;
  readonly mayConnect: ClientCheck;
  /** `null`: an idle kept connection is left to the front end. */
  readonly idleConnectionMs: number | null;
  readonly scoreboard: Scoreboard | undefined;
}

export class HttpServer implements WorkerServer {
  /** Node's parser may have read on: a response says `Connection: close` instead. */
  readonly handsOver = false;
  readonly #servers: Server[] = [];
  #onStdin = false;
  readonly #active = new Set<ServerResponse>();
  readonly #options: HttpServerOptions;
  #closed: Promise<unknown> | undefined;
  #draining: IdlePolicy | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
  }

  listen(target: ListenTarget): Promise<string> {
    const server = createServer({ noDelay: true }, (request, response) => this.#serve(request, response));
    // Whoever closes an idle connection first loses a request that is on its way: that must not be us (nginx keeps them 60 s).
    server.keepAliveTimeout = this.#options.idleConnectionMs ?? 0;
    // How long an upload may take is the front end's to say, as over FastCGI.
    server.requestTimeout = 0;
    server.on("connection", (socket) => {
      if (!this.#options.mayConnect(socket.remoteAddress)) {
        socket.destroy();
        return;
      }
      const { scoreboard } = this.#options;
      scoreboard?.connectionOpened();
      socket.once("close", () => scoreboard?.connectionClosed());
    });
    const { upgrade } = this.#options;
    if (upgrade !== undefined && upgrade.listenerCount("upgrade") > 0) {
      server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
        upgrade.emit("upgrade", request, socket, head),
      );
    }
    this.#servers.push(server);
    if (target.kind === "fd" && target.fd === 0) this.#onStdin = true;
    return listen(server, target);
  }

  async drain(idle: IdlePolicy): Promise<void> {
    this.#draining = this.#draining === "close" ? "close" : idle;
    for (const response of this.#active) sayClose(response);
    this.#closed ??= this.#stopListening();
    if (this.#draining === "close") for (const server of this.#servers) server.closeIdleConnections();
    await this.#closed;
  }

  destroy(): void {
    for (const server of this.#servers) server.closeAllConnections();
  }

  #stopListening(): Promise<unknown> {
    // Node's own http.Server.close() ends idle connections in any case.
    const { close } = NetServer.prototype;
    const ends = this.#servers.map((server) => closed(server, () => close.call(server)));
    if (this.#onStdin) releaseStdin();
    return Promise.all(ends);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.#active.add(response);
    const { scoreboard } = this.#options;
    const token = scoreboard?.requestStarted(request.method ?? "", request.url ?? "") ?? 0;
    response.once("close", () => {
      this.#active.delete(response);
      scoreboard?.requestEnded(token, response.statusCode, false);
    });
    if (this.#draining !== undefined) sayClose(response);
    this.#options.listener(request, response);
  }
}

/** With this response the connection ends, and the client knows it: no request of its is lost. */
function sayClose(response: ServerResponse): void {
  if (!response.headersSent) response.shouldKeepAlive = false;
}
