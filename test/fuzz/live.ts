/** The same hostile input against a worker's server over a real socket, where Node's own buffers and closes take part. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FastCgiClient, type ResponseEnd } from "../../src/protocol/fastcgi/client.ts";
import { ConnectionContext } from "../../src/worker/connection-context.ts";
import { FastCgiConnection } from "../../src/worker/fastcgi-connection.ts";
import { type GatewayHandler, gatewayLane } from "../../src/worker/gateway-lane.ts";
import { fastcgiRequest } from "../unit/worker-wire/requests.ts";
import { WIRE } from "../unit/worker-wire/wire.ts";

const CLEAN_URI = "/are-you-there";

export class LiveWorker {
  readonly #folder = mkdtempSync(join(tmpdir(), "gwpm-fuzz-"));
  readonly #path = join(this.#folder, "socket");
  readonly #context: ConnectionContext;
  #ready: Promise<void> | undefined;

  constructor(handler: GatewayHandler) {
    const guarded: GatewayHandler = (request, response) =>
      request.url === CLEAN_URI ? response.send(200, {}, "yes") : handler(request, response);
    this.#context = new ConnectionContext({
      handler: gatewayLane(guarded, ""),
      wire: { ...WIRE, maxParams: 100_000, maxRequestsPerConnection: 8 },
      roles: ["responder", "filter"],
      idleConnectionMs: null,
      log: () => {},
    });
    process.once("exit", () => rmSync(this.#folder, { recursive: true, force: true }));
  }

  /** Sends the pieces and closes; the worker must close as well, and still answer others. */
  async attack(pieces: readonly Buffer[], abruptly: boolean): Promise<void> {
    const socket = await this.#connect();
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    for (const piece of pieces) socket.write(piece);
    if (abruptly) socket.destroy();
    else socket.end();
    await closed;
    await this.#checkAlive();
  }

  async #checkAlive(): Promise<void> {
    const socket = await this.#connect();
    const end = new Promise<ResponseEnd>((resolve) => {
      const client = new FastCgiClient();
      client.expect(1, { onHead() {}, onBody() {}, onStderr() {}, onEnd: resolve });
      socket.on("data", (chunk: Buffer) => client.push(chunk));
      socket.on("close", () => client.end());
    });
    socket.write(fastcgiRequest({ keep: false, params: { REQUEST_URI: CLEAN_URI } }));
    assert.equal((await end).complete, true);
    socket.destroy();
  }

  #connect(): Promise<Socket> {
    this.#ready ??= this.#listen();
    return this.#ready.then(
      () =>
        new Promise((resolve, reject) => {
          const socket = connect(this.#path, () => resolve(socket));
          // EPIPE and ECONNRESET are what hostile peers get.
          socket.on("error", (error) => reject(error));
        }),
    );
  }

  #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new FastCgiConnection(socket, this.#context);
    });
    server.unref();
    return new Promise((resolve) => server.listen(this.#path, resolve));
  }
}
