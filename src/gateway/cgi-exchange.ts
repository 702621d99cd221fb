/** One FastCGI or SCGI request on one connection. */

import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { formatAddress } from "../core/address.ts";
import { ProtocolError } from "../protocol/error.ts";
import type { ResponseEnd } from "../protocol/fastcgi/client.ts";
import { callVariables } from "./cgi-variables.ts";
import { connect } from "./connect.ts";
import { badResponseError, GatewayError, truncatedError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import type { Call, UpstreamOptions } from "./upstream.ts";
import { FastCgiWire, ScgiWire, type Wire } from "./wire.ts";

/** A body up to this size leaves in the same write as the head. */
const ONE_WRITE = 65_536;

export class CgiExchange extends Exchange {
  readonly #wire: Wire;
  readonly #kept: Socket | undefined;
  readonly #keep: (socket: Socket) => void;
  /** A character may be cut in two between records. */
  readonly #stderrText = new StringDecoder("utf8");
  #socket: Socket | undefined;
  #ended: ResponseEnd | undefined;
  #eof = false;

  /**
   * @param kept a connection to use instead of a new one
   * @param keep takes the connection when it is good for another request
   */
  constructor(
    call: Call,
    options: UpstreamOptions,
    protocol: "fastcgi" | "scgi",
    kept: Socket | undefined,
    keep: (socket: Socket) => void,
  ) {
    super(call, options);
    this.#kept = kept;
    this.#keep = keep;
    const sink = {
      onHead: ({ status, reason, headers }: { status: number; reason: string; headers: readonly string[] }) =>
        this.head(status, reason, [...headers]),
      onBody: (chunk: Buffer) => this.body?.add(chunk),
      onStderr: (chunk: Buffer) => this.stderr(this.#stderrText.write(chunk)),
      onEnd: (end: ResponseEnd) => {
        this.#ended = end;
      },
    };
    this.#wire = protocol === "scgi" ? new ScgiWire(sink) : new FastCgiWire(sink, options.keepAlive);
  }

  protected start(): void {
    if (this.#kept !== undefined) {
      this.#begin(this.#kept, true);
      return;
    }
    const { address, connectMs } = this.options;
    connect(address, connectMs, this.call.signal).then(
      (socket) => this.#begin(socket, false),
      (error) => this.fail(error),
    );
  }

  protected resumeReading(): void {
    this.#socket?.resume();
  }

  protected drop(): void {
    this.#socket?.destroy();
  }

  #begin(socket: Socket, reused: boolean): void {
    this.#socket = socket;
    this.connected(reused);
    socket
      .on("data", this.#onData)
      .on("end", this.#onEof)
      .on("error", this.#onError)
      .on("close", this.#onEof)
      .on("drain", this.#onDrain);
    this.#send(socket);
  }

  #send(socket: Socket): void {
    const { body, length } = this.call;
    const wire = this.#wire;
    let opening: Buffer;
    try {
      opening = wire.opening(callVariables(this.call, wire.needsLength));
    } catch (error) {
      this.fail(error as Error); // A variable that the protocol cannot express: the caller's mistake.
      return;
    }
    if (body === null || Buffer.isBuffer(body)) {
      const pieces = [opening, ...(body === null ? [] : wire.frame(body)), ...wire.closing];
      this.#writeAll(socket, body !== null && body.length > ONE_WRITE ? pieces : [Buffer.concat(pieces)]);
      this.requestSent();
    } else {
      socket.write(opening);
      this.upload(
        body,
        length,
        socket,
        (chunk) => wire.frame(chunk),
        () => this.#writeAll(socket, wire.closing),
      );
    }
  }

  #writeAll(socket: Socket, pieces: readonly Buffer[]): void {
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  readonly #onDrain = (): void => this.moved();

  readonly #onData = (chunk: Buffer): void => {
    this.heard();
    try {
      this.#wire.push(chunk);
    } catch (error) {
      this.#onGarbage(error);
      return;
    }
    if (this.over) return;
    if (this.#ended !== undefined) this.#conclude(this.#ended);
    else if (this.#wire.endsWithLength && this.body?.filled) this.#finish();
    else if (this.body?.full) this.#socket!.pause();
  };

  readonly #onEof = (): void => {
    if (this.over) return;
    this.#eof = true;
    this.#wire.closed();
    if (this.#ended !== undefined) this.#conclude(this.#ended);
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (this.over) return;
    // A peer that closes with bytes unread resets the connection (RFC 2525 §2.17). An SCGI worker that has answered without reading the whole
    // body does just that, and has ended its response all the same. (EPIPE is another matter: it strikes while bytes of the response may still be
    // waiting, and Node reads no further; only Content-Length can tell then that it was complete.)
    const answered = this.body !== undefined && this.call.length !== 0;
    if (error.code === "ECONNRESET" && this.#wire.endsWithLength && answered) {
      this.#onEof();
      return;
    }
    this.fail(this.#truncated(error));
  };

  #onGarbage(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    const { address } = this.options;
    const hint = this.timings.reused ? "" : `; does ${formatAddress(address)} speak another protocol?`;
    this.fail(badResponseError(address, `${error.message}${hint}`, error));
  }

  #conclude({ error, protocolStatus }: ResponseEnd): void {
    if (error === null) this.#finish(protocolStatus === 0);
    else this.fail(this.#explain(error));
  }

  #finish(mayReuse = false): void {
    const socket = this.#socket!;
    const reusable =
      mayReuse && this.sent && !this.#eof && this.#wire.reusable && socket.writableLength === 0;
    this.complete();
    if (!reusable || socket.destroyed) return void socket.destroy();
    socket
      .off("data", this.#onData)
      .off("end", this.#onEof)
      .off("error", this.#onError)
      .off("close", this.#onEof)
      .off("drain", this.#onDrain);
    this.#keep(socket);
  }

  #explain(error: ProtocolError): Error {
    const { address } = this.options;
    switch (error.code) {
      case "FCGI_OVERLOADED":
      case "FCGI_CANT_MPX_CONN":
      case "FCGI_UNKNOWN_ROLE": {
        const what = `${formatAddress(address)} refused the request and sent no response: ${error.code}`;
        return new GatewayError("GWPM_REJECTED", address, what, error);
      }
      default:
        return this.#eof ? this.#truncated(error) : badResponseError(address, error.message, error);
    }
  }

  #truncated(cause: Error): GatewayError {
    const when = this.body === undefined ? "before it answered" : "before the response was complete";
    return truncatedError(this.options.address, when, cause);
  }
}
