/** Accepts HTTP on the inherited sockets, and stops accepting without cutting anybody off. */

import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { IdleConnections } from "./supervision.ts";

/** How long an accepted connection that has not sent a byte yet may still do so once we drain. */
const SILENT_GRACE_MS = 1_000;

export interface HttpListenerOptions {
  readonly onRequest: RequestListener;
  /** The longest that a client's connection may be silent, milliseconds; `null` for ever. */
  readonly silenceMs: number | null;
}

export class HttpListener {
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Socket>();
  readonly #options: HttpListenerOptions;
  #onStdin = false;
  #draining = false;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
  }

  /** Whether responses should tell the client that the connection will be closed. */
  get draining(): boolean {
    return this.#draining;
  }

  /** @throws Error when an fd is not a listening socket */
  async listen(fds: readonly number[]): Promise<void> {
    for (const fd of fds) {
      const server = this.#server();
      server.listen({ fd });
      await once(server, "listening");
      this.#servers.push(server);
      this.#onStdin ||= fd === 0;
    }
  }

  /**
   * Accepts nothing new; what has been accepted is served to the end. A second call can only hurry it.
   *
   * @param idle "keep" leaves a kept-alive connection open for one more request, until Node's own keep-alive timeout of 5 s
   */
  drain(idle: IdleConnections): void {
    if (!this.#draining) {
      this.#draining = true;
      // Not http.Server's own close(), which would close the idle connections as well, and no longer time out half-sent requests.
      for (const server of this.#servers) NetServer.prototype.close.call(server);
      if (this.#onStdin) releaseStdin();
      this.#hurrySilentConnections();
    }
    if (idle === "close") for (const server of this.#servers) server.closeIdleConnections();
  }

  /** Resolves when, after {@link drain}, the last connection has gone. */
  async drained(): Promise<void> {
    await Promise.all(this.#servers.map((server) => once(server, "close")));
  }

  #server(): Server {
    // An upload may take as long as it moves: not the whole request but each silence is limited.
    const server = createServer({ requestTimeout: 0 }, this.#options.onRequest);
    server.setTimeout(this.#options.silenceMs ?? 0);
    server.on("connection", (socket) => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
    });
    return server;
  }

  /** Browsers open connections ahead of need; a request on its way, though, arrives within moments. */
  #hurrySilentConnections(): void {
    const timer = setTimeout(() => {
      for (const socket of this.#connections) if (socket.bytesRead === 0) socket.destroy();
    }, SILENT_GRACE_MS);
    timer.unref();
  }
}

/** libuv never closes the fds 0 to 2, not even one that it listened on: the kernel would go on accepting connections there, for nobody. */
function releaseStdin(): void {
  closeSync(0);
  openSync("/dev/null", "r"); // becomes fd 0, so that nothing that is opened later does
}
