/** The seam between the client, which retries and counts time, and the protocols. */

import type { Readable } from "node:stream";
import type { Address } from "../core/address.ts";
import type { GatewayResponse } from "./types.ts";

/** A request with every default filled in. */
export interface Call {
  readonly method: string;
  readonly uri: string;
  /** End-to-end fields only: name, value, … */
  readonly headers: readonly string[];
  readonly params: Readonly<Record<string, string>>;
  readonly body: Readable | Buffer | null;
  /** Of the body; `null` when only its end tells. */
  readonly length: number | null;
  /** Aborted with a GatewayError as its reason. */
  readonly signal: AbortSignal;
  readonly onStderr: ((text: string) => void) | undefined;
  /** Called when the exchange is over, however it ended; not when it is about to be repeated. */
  readonly onOver: () => void;
  /** `performance.now()` when the caller asked. */
  readonly startedAt: number;
}

export interface UpstreamOptions {
  readonly address: Address;
  readonly keepAlive: boolean;
  readonly connectMs: number | null;
  readonly silenceMs: number | null;
  readonly keptMs: number;
}

export interface Upstream {
  /**
   * @param kept whether a kept connection may be used
   * @throws GatewayError, {@link StaleConnection}
   */
  attempt(call: Call, kept: boolean): Promise<GatewayResponse>;
  /** Closes the connections that are kept. */
  close(): void;
}

/** A kept connection failed before it brought a single byte of a response: the worker had closed it, or was about to. */
export class StaleConnection extends Error {
  override readonly cause: Error;

  constructor(cause: Error) {
    super(cause.message);
    this.cause = cause;
  }
}
