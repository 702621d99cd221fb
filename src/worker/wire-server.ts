/** Accepts FastCGI or SCGI connections on the worker's sockets. */

import { once } from "node:events";
import { createServer, type Server, Socket, type SocketConstructorOpts } from "node:net";
import type { IdlePolicy } from "../control/messages.ts";
import type { ClientCheck } from "./allowed-clients.ts";
import type { Handover } from "./handover.ts";
import type { Scoreboard } from "./scoreboard.ts";
import { closed, type ListenTarget, listen, releaseStdin, type WorkerServer } from "./server.ts";

/** What the connection classes have in common. */
export interface WireConnection {
  /** No further request is wanted: closes or hands over at once where nothing is active, as `idle` says, else as early as no request gets lost. */
  close(how: { idle: IdlePolicy }): void;
}

export interface WireServerOptions {
  readonly connect: (socket: Socket) => WireConnection;
  readonly mayConnect: ClientCheck;
  readonly scoreboard: Scoreboard | undefined;
  readonly handover: Handover | undefined;
}

export class WireServer implements WorkerServer {
  readonly handsOver: boolean;
  readonly #servers: Server[] = [];
  #onStdin = false;
  readonly #connections = new Map<Socket, WireConnection>();
  readonly #options: WireServerOptions;
  #closed: Promise<unknown> | undefined;
  #draining: IdlePolicy | undefined;

  constructor(options: WireServerOptions) {
    this.#options = options;
    const { handover } = options;
    this.handsOver = handover !== undefined;
    handover?.listen(
      () => this.#draining === undefined,
      (handle) => this.#accept(new Socket({ handle, allowHalfOpen: true } as SocketConstructorOpts)),
    );
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

  async #stopListening(): Promise<void> {
    const ends = this.#servers.map((server) => closed(server, () => server.close()));
    if (this.#onStdin) releaseStdin();
    await Promise.all(ends);
    // Adopted connections are not the servers' own.
    for (let [socket] = this.#connections.keys(); socket !== undefined; [socket] = this.#connections.keys())
      await once(socket, "close");
  }

  #accept(socket: Socket): void {
    const { connect, mayConnect, scoreboard } = this.#options;
    if (!mayConnect(socket.remoteAddress)) {
      socket.destroy();
      return;
    }
    const connection = connect(socket);
    this.#connections.set(socket, connection);
    scoreboard?.connectionOpened();
    socket.once("close", () => {
      this.#connections.delete(socket);
      scoreboard?.connectionClosed();
    });
    // The kernel had accepted it before we stopped listening: its first request is served, here or elsewhere.
    if (this.#draining !== undefined)
      connection.close({ idle: this.#draining === "close" ? "keep" : this.#draining });
  }
}
