/** The client of a gateway socket: one request at a time on each connection, kept connections where that is safe. */

import { Readable } from "node:stream";
import { type Address, formatAddress } from "../core/address.ts";
import { contentLength } from "./body-length.ts";
import { CgiUpstream } from "./cgi-upstream.ts";
import { abortError, bodyError, GatewayError } from "./errors.ts";
import { endToEnd, hasField } from "./hop-by-hop.ts";
import { HttpUpstream } from "./http-upstream.ts";
import type { GatewayProtocol, GatewayRequest, GatewayResponse, GatewayTimeouts } from "./types.ts";
import { type Call, StaleConnection, type Upstream, type UpstreamOptions } from "./upstream.ts";

export type { GatewayErrorCode } from "./errors.ts";
export { GatewayError } from "./errors.ts";
export type * from "./types.ts";
export { type GetValuesOptions, getValues } from "./values.ts";

export interface GatewayClientOptions {
  readonly address: Address;
  /** @default "fastcgi" */
  readonly protocol?: GatewayProtocol;
  /** Keep connections for further requests; SCGI has no such thing. @default false */
  readonly keepAlive?: boolean;
  /**
   * Send each request exactly once, and any of them on a kept connection, as nginx does with a POST: what an upstream does to its kept connections
   * then shows, instead of being made good by a second attempt. For measuring losses. @default false
   */
  readonly once?: boolean;
  readonly timeouts?: GatewayTimeouts;
}

/** RFC 9110 §9.2.2: sending them twice does what sending them once does. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/**
 * @example
 * const client = new GatewayClient({ address: parseAddress("unix:/run/gwpm/app.sock") });
 * const response = await client.request({ uri: "/hello?name=you" });
 * for await (const chunk of response.body) process.stdout.write(chunk);
 */
export class GatewayClient {
  readonly #address: Address;
  readonly #upstream: Upstream;
  readonly #once: boolean;

  constructor(options: GatewayClientOptions) {
    const { address, protocol = "fastcgi", timeouts = {} } = options;
    const upstream: UpstreamOptions = {
      address,
      keepAlive: options.keepAlive ?? false,
      connectMs: timeouts.connectMs === undefined ? 5_000 : timeouts.connectMs,
      silenceMs: timeouts.silenceMs ?? null,
      keptMs: timeouts.keptMs ?? 2_000,
    };
    this.#address = address;
    this.#once = options.once ?? false;
    this.#upstream = protocol === "http" ? new HttpUpstream(upstream) : new CgiUpstream(protocol, upstream);
  }

  /**
   * Sends one request. Resolves with the response head; the body must be read to its end, or destroyed.
   *
   * A request that could be carried out twice without harm (an idempotent method, and no body or one in a Buffer) may use a kept connection; when
   * that turns out to have been closed meanwhile, it is sent once more on a new one. All others get a new connection from the start: the
   * worker may be closing a kept one at this very moment, and nobody can tell then how far the request got.
   *
   * @throws GatewayError
   */
  async request(request: GatewayRequest): Promise<GatewayResponse> {
    const call = this.#call(request);
    const repeatable = IDEMPOTENT.has(call.method) && !(call.body instanceof Readable);
    try {
      return await this.#upstream.attempt(call, repeatable || this.#once);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      if (this.#once) {
        call.onOver();
        throw error.cause;
      }
      return await this.#upstream.attempt(call, false);
    }
  }

  /** Closes the connections that are kept. Requests under way go on. */
  close(): void {
    this.#upstream.close();
  }

  #call(request: GatewayRequest): Call {
    const { method = "GET", uri, headers = [], params = {}, body, onStderr } = request;
    const length = this.#bodyLength(body, headers);
    const deadline = this.#deadline(request);
    return {
      method,
      uri,
      headers: withHost(endToEnd(headers, ["proxy"])), // "Proxy" would arrive as HTTP_PROXY (httpoxy, CVE-2016-5385).
      params,
      body: body ?? null,
      length,
      signal: deadline.signal,
      onOver: deadline.release,
      onStderr,
      startedAt: performance.now(),
    };
  }

  #bodyLength(body: Readable | Buffer | undefined, headers: readonly string[]): number | null {
    if (body === undefined) return 0;
    if (Buffer.isBuffer(body)) return body.length;
    try {
      return contentLength(headers);
    } catch (error) {
      throw bodyError(this.#address, (error as Error).message);
    }
  }

  /** The caller's signal and timeout as one signal, whose reason says in our words what happened. */
  #deadline({ signal, timeoutMs }: GatewayRequest): { signal: AbortSignal; release: () => void } {
    const end = new AbortController();
    const onAbort = (): void => end.abort(abortError(this.#address, signal?.reason));
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => end.abort(this.#late(timeoutMs)), timeoutMs);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    const release = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    return { signal: end.signal, release };
  }

  #late(timeoutMs: number): GatewayError {
    const what = `The request to ${formatAddress(this.#address)} was not complete after ${timeoutMs} ms`;
    return new GatewayError("GWPM_TIMED_OUT", this.#address, what);
  }
}

/** Programs make URLs of it, and HTTP/1.1 demands it (RFC 9112 §3.2). */
function withHost(headers: string[]): string[] {
  return hasField(headers, "host") ? headers : ["Host", "localhost", ...headers];
}
