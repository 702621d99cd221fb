/** An upstream that speaks HTTP/1.1: node:http's own client, brought to the terms of this folder. */

import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connectOptions, formatAddress } from "../core/address.ts";
import { expectsBody } from "./body-length.ts";
import { hopeless } from "./connect.ts";
import { badResponseError, connectError, timeoutError, truncatedError } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { endToEnd } from "./hop-by-hop.ts";
import type { GatewayResponse } from "./types.ts";
import type { Call, Upstream, UpstreamOptions } from "./upstream.ts";

export class HttpUpstream implements Upstream {
  readonly #options: UpstreamOptions;
  readonly #keeping: Agent | undefined;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    // node:http takes an agent's `timeout` for how long an idle connection is kept.
    if (options.keepAlive) this.#keeping = new Agent({ keepAlive: true, timeout: options.keptMs });
  }

  attempt(call: Call, kept: boolean): Promise<GatewayResponse> {
    return new HttpExchange(call, this.#options, kept ? this.#keeping : undefined).run();
  }

  close(): void {
    this.#keeping?.destroy();
  }
}

class HttpExchange extends Exchange {
  readonly #agent: Agent | undefined;
  #request: ClientRequest | undefined;
  #incoming: IncomingMessage | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #isConnected = false;

  constructor(call: Call, options: UpstreamOptions, agent: Agent | undefined) {
    super(call, options);
    this.#agent = agent;
  }

  protected start(): void {
    const reason = hopeless(this.options.address);
    if (reason !== undefined) {
      this.fail(reason);
      return;
    }
    try {
      this.#request = request(this.#requestOptions());
    } catch (error) {
      this.fail(error as Error); // A method, target or header that node:http will not write.
      return;
    }
    this.#request
      .on("socket", (socket) => this.#onSocket(socket))
      .on("error", (error) => this.fail(this.#explain(error)))
      .on("response", (incoming) => this.#onResponse(incoming))
      .on("upgrade", ({ statusCode }, socket) => this.#onUpgrade(statusCode!, socket));
    this.#sendBody(this.#request);
  }

  protected resumeReading(): void {
    this.#incoming?.resume();
  }

  protected drop(): void {
    clearTimeout(this.#connectTimer);
    this.#request?.destroy();
  }

  #requestOptions(): RequestOptions {
    const { method, uri } = this.call;
    const { address } = this.options;
    const target = connectOptions(address);
    return {
      ...("path" in target ? { socketPath: target.path } : target),
      agent: this.#agent ?? false,
      method,
      path: uri,
      headers: requestHeaders(this.call),
    };
  }

  #onSocket(socket: Socket): void {
    if (!socket.connecting) {
      this.#onConnected(this.#request!.reusedSocket);
      return;
    }
    const { connectMs, address } = this.options;
    if (connectMs !== null) {
      const giveUp = (): void => this.fail(timeoutError(address, "a connection", connectMs));
      this.#connectTimer = setTimeout(giveUp, connectMs);
    }
    socket.once("connect", () => this.#onConnected(false));
  }

  #onConnected(reused: boolean): void {
    clearTimeout(this.#connectTimer);
    this.#isConnected = true;
    if (!this.over) this.connected(reused);
  }

  #sendBody(outgoing: ClientRequest): void {
    const { body, length } = this.call;
    if (body === null || Buffer.isBuffer(body)) {
      outgoing.end(body ?? undefined);
      this.requestSent();
    } else {
      this.upload(
        body,
        length,
        outgoing,
        (chunk) => [chunk],
        () => outgoing.end(),
      );
    }
  }

  #onResponse(incoming: IncomingMessage): void {
    this.#incoming = incoming;
    this.heard();
    this.head(incoming.statusCode!, incoming.statusMessage!, incoming.rawHeaders);
    incoming
      .on("data", (chunk: Buffer) => {
        this.heard();
        this.body?.add(chunk);
        if (this.body?.full) incoming.pause();
      })
      .on("end", () => this.#onEnd())
      .on("error", (error) => this.fail(this.#explain(error)));
  }

  /** Nobody asked for it: `Upgrade` is not passed on. node:http hands the connection over to us here. */
  #onUpgrade(status: number, socket: Duplex): void {
    socket.destroy();
    this.head(status, "", []);
  }

  #onEnd(): void {
    const { sent } = this;
    this.complete();
    if (!sent) this.drop(); // Nobody reads the rest of the request: the connection is of no further use.
  }

  #explain(error: NodeJS.ErrnoException): Error {
    const { address } = this.options;
    if (!this.#isConnected) return connectError(address, error);
    if (error.code?.startsWith("HPE_")) {
      const hint = `not HTTP/1.1 (${error.message}); is the protocol of ${formatAddress(address)} another one?`;
      return badResponseError(address, hint, error);
    }
    const when = this.body === undefined ? "before it answered" : "before the response was complete";
    return truncatedError(address, when, error);
  }
}

/** The request's own fields, with the framing that fits the body as we have it. `Expect` has been answered on the way here. */
function requestHeaders({ headers, body, length, method }: Call): string[] {
  const fields = endToEnd(headers, ["content-length", "expect"]);
  if (length === null) fields.push("Transfer-Encoding", "chunked");
  else if (body !== null || expectsBody(method)) fields.push("Content-Length", String(length));
  return fields;
}
