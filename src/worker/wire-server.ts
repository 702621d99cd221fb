/** Accepts FastCGI or SCGI connections on the worker's sockets. */

import { createServer, type Server, type Socket } from "node:net";
import type { ClientCheck } from "./allowed-clients.ts";
import type { Scoreboard } from "./scoreboard.ts";
import {
  closed,
  type IdlePolicy,
  type ListenTarget,
  listen,
  releaseStdin,
  type WorkerServer,
} from "./server.ts";

/** What the connection classes have in common. */
export interface WireConnection {
  /** No further request is wanted: closes at once where nothing is active and `idle` is `close`, else as early as no request gets lost. */
  close(how: { idle: IdlePolicy }): void;
}

export type ConnectionFactory = (socket: Socket) => WireConnection;

export class WireServer implements WorkerServer {
  readonly #servers: Server[] = [];
  #onStdin = false;
  readonly #connections = new Map<Socket, WireConnection>();
  readonly #connect: ConnectionFactory;
  readonly #mayConnect: ClientCheck;
  readonly #scoreboard: Scoreboard | undefined;
  #closed: Promise<unknown> | undefined;
  #draining: IdlePolicy | undefined;

  constructor(connect: ConnectionFactory, mayConnect: ClientCheck, scoreboard: Scoreboard | undefined) {
    this.#scoreboard = scoreboard;
    this.#connect = connect;
    this.#mayConnect = mayConnect;
  }

  listen(target: ListenTarget): Promise<string> {
    // Half-open: a front end that has sent its request may close its side and still wait for the answer.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#servers.push(server);
    if (target.kind === "fd" && target.fd === 0) this.#onStdin = true;
    return listen(server, target);
  }

  async drain(idle: IdlePolicy): Promise<void> {
    this.#draining = this.#draining === "close" ? "close" : idle;
    for (const connection of [...this.#connections.values()]) connection.close({ idle: this.#draining });
    this.#closed ??= this.#stopListening();
    await this.#closed;
  }

  destroy(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #stopListening(): Promise<unknown> {
    const ends = this.#servers.map((server) => closed(server, () => server.close()));
    if (this.#onStdin) releaseStdin();
    return Promise.all(ends);
  }

  #accept(socket: Socket): void {
    if (!this.#mayConnect(socket.remoteAddress)) {
      socket.destroy();
      return;
    }
    const connection = this.#connect(socket);
    this.#connections.set(socket, connection);
    this.#scoreboard?.connectionOpened();
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#scoreboard?.connectionClosed();
    });
    // The kernel had accepted it before we stopped listening: its first request is served.
    if (this.#draining !== undefined) connection.close({ idle: "keep" });
  }
}
