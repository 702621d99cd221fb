/** Asks a FastCGI server what it can do (FCGI_GET_VALUES): the cheapest sign of life, no application code runs for it. */

import type { Address } from "../core/address.ts";
import { ProtocolError } from "../protocol/error.ts";
import { FastCgiClient } from "../protocol/fastcgi/client.ts";
import { encodeGetValues } from "../protocol/fastcgi/encode.ts";
import { connect } from "./connect.ts";
import { abortError, badResponseError, timeoutError, truncatedError } from "./errors.ts";

const NAMES = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"];

export interface GetValuesOptions {
  /** For everything together, in milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * @returns the values that the server knows; `null` when it does not know the question, which also shows that it is alive
 * @throws GatewayError
 */
export async function getValues(
  address: Address,
  { timeoutMs = 5_000, signal }: GetValuesOptions = {},
): Promise<Map<string, string> | null> {
  const end = new AbortController();
  const onAbort = (): void => end.abort(abortError(address, signal?.reason));
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => end.abort(timeoutError(address, "the answer to FCGI_GET_VALUES", timeoutMs)),
    timeoutMs,
  );
  try {
    return await ask(address, end.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

async function ask(address: Address, signal: AbortSignal): Promise<Map<string, string> | null> {
  const socket = await connect(address, null, signal);
  try {
    return await new Promise((resolve, reject) => {
      const client = new FastCgiClient();
      client.expectValues(resolve);
      const onEnd = (cause?: Error): void => reject(truncatedError(address, "before it answered", cause));
      socket.on("error", onEnd).on("end", () => onEnd());
      socket.on("data", (chunk: Buffer) => {
        try {
          client.push(chunk);
        } catch (error) {
          reject(error instanceof ProtocolError ? badResponseError(address, error.message, error) : error);
        }
      });
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      socket.write(encodeGetValues(NAMES));
    });
  } finally {
    socket.destroy();
  }
}
