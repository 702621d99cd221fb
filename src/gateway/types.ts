/** What a request to a gateway socket is, and what comes back: the same for FastCGI, SCGI and HTTP. */

import type { Readable } from "node:stream";

export type GatewayProtocol = "fastcgi" | "scgi" | "http";

/** Text is latin1 throughout, one character a byte, as in node:http. */
export interface GatewayRequest {
  /** @default "GET" */
  readonly method?: string;
  /** The request target as it stands in a request line: `/path?query`, or `*`. */
  readonly uri: string;
  /** Name, value, name, value, …; repetitions allowed. Hop-by-hop fields and `Proxy` are never sent on. */
  readonly headers?: readonly string[];
  /** CGI variables beside, or instead of, those that follow from the request. FastCGI and SCGI only. */
  readonly params?: Readonly<Record<string, string>>;
  /** A stream is read no faster than the upstream takes it. It is not destroyed when the upstream does not want the rest. */
  readonly body?: Readable | Buffer | undefined;
  /** Ends the request at any time, and its connection with it. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the end of the response body. @default no limit */
  readonly timeoutMs?: number | undefined;
  /** Called with each piece of FCGI_STDERR as it comes. */
  readonly onStderr?: ((text: string) => void) | undefined;
}

export interface GatewayResponse {
  readonly status: number;
  /** May be empty. */
  readonly reason: string;
  /** Name, value, name, value, … in the order and with the repetitions of the upstream. */
  readonly headers: string[];
  /**
   * Ends only when the response is complete; one that breaks off errors with a {@link GatewayError}. Reading slowly slows the upstream down.
   * Destroying it closes the connection.
   */
  readonly body: Readable;
  /** FCGI_STDERR so far, the first 64 KiB of it. */
  stderr(): string;
  readonly timings: Timings;
}

/** Milliseconds since `request` was called. */
export interface Timings {
  /** Until there was a connection; 0 on one that was kept. */
  connectedMs: number;
  /** Until the response head was complete. */
  headMs: number;
  /** Until the end of the body; `null` while it lasts. */
  totalMs: number | null;
  /** Whether a kept connection served the request. */
  reused: boolean;
}

/** Milliseconds; `null` for no limit. */
export interface GatewayTimeouts {
  /** For the connection to be made. @default 5000 */
  readonly connectMs?: number | null;
  /**
   * The longest that whoever has to move next, the upstream or the source of the request body, may take to do so; also the longest from the end of
   * the request to the end of the response head, so that a head that trickles does not last for ever. A reader who takes his time is no silence.
   * @default null
   */
  readonly silenceMs?: number | null;
  /** How long a connection is kept for the next request. @default 2000 */
  readonly keptMs?: number;
}
