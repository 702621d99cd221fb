/** An SCGI connection of a worker: one request, one response. */

import type { Socket } from "node:net";
import { encodeHead } from "../protocol/cgi/response-head.ts";
import { ProtocolError } from "../protocol/error.ts";
import { refusalStatus, ScgiDecoder, type ScgiSink } from "../protocol/scgi/decoder.ts";
import type { ScgiParams } from "../protocol/scgi/params.ts";
import { Connection, type WriteCallback } from "./connection.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { wrongProtocolHint } from "./connection-hint.ts";
import { ScgiExchange } from "./scgi-exchange.ts";

export class ScgiConnection extends Connection implements ScgiSink {
  readonly #decoder: ScgiDecoder;
  #first = -1;
  #exchange: ScgiExchange | null = null;

  constructor(socket: Socket, context: ConnectionContext) {
    super(socket, context);
    this.#decoder = new ScgiDecoder(
      { maxHeaders: context.wire.maxParams, inputReused: this.inputReused },
      this,
    );
  }

  get active(): number {
    return this.serving ? 1 : 0;
  }

  get serving(): boolean {
    return this.#exchange !== null && !this.#exchange.ended && !this.#exchange.aborted;
  }

  get atBoundary(): boolean {
    return this.open && this.#decoder.untouched;
  }

  onRequest(params: ScgiParams, contentLength: number): void {
    const method = params.get("REQUEST_METHOD") ?? "";
    const exchange = new ScgiExchange(this, this.context, params, method, contentLength, contentLength === 0);
    this.#exchange = exchange;
    if (method === "") {
      exchange.stderr("gwpm: the front end sent no REQUEST_METHOD; its SCGI parameters are not configured");
      exchange.head(encodeHead(400, undefined, ["Content-Type", "text/plain"]));
      exchange.end("Bad Request\n");
      return;
    }
    this.dispatch(exchange);
  }

  onBody(chunk: Buffer): void {
    this.#exchange?.receiveBody(chunk);
  }

  onBodyEnd(): void {
    this.#exchange?.endBody();
  }

  /** For the exchange: a part of the response. */
  respond(parts: readonly Buffer[], last: boolean, done: WriteCallback | undefined): void {
    if (parts.length === 1) this.send(parts[0]!, done);
    else this.sendAll(parts, done);
    if (last) this.linger();
  }

  /** For the exchange: a response without Content-Length ends with the connection, so only a reset tells that it is not whole. */
  breakOff(): void {
    if (this.peerAddress === "") this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  protected receive(chunk: Buffer, size: number): void {
    if (this.#first < 0) this.#first = chunk[0]!;
    try {
      this.#decoder.push(chunk, size);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#violated(error);
    }
  }

  protected peerEnded(): void {
    if (!this.serving) {
      this.linger();
    } else if (!this.#decoder.done || this.context.wire.scgiAbortOnFin) {
      this.destroy();
    }
    // Else the peer may have closed only its own side (shutdown) and still wait for the answer; if not, writing will tell.
  }

  protected lost(): void {
    this.#exchange?.abort();
  }

  protected onWritable(): void {
    this.#exchange?.writable();
  }

  #violated(error: ProtocolError): void {
    const hint = wrongProtocolHint(this.#first, "SCGI");
    this.context.log(hint ?? `gwpm: closed an SCGI connection: ${error.message}`);
    const status = refusalStatus(error);
    if (status === null) {
      this.destroy();
      return;
    }
    this.send(
      Buffer.from(`${encodeHead(status, undefined, ["Content-Type", "text/plain"])}${status}\n`, "latin1"),
    );
    this.linger();
  }
}
