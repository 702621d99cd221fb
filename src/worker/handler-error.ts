/** Tells of an error that a handler did not catch: on the worker's stderr, which the supervisor keeps; the client sees only a 500. */

import { STATUS_CODES } from "node:http";
import { inspect } from "node:util";
import { encodeHead } from "../protocol/cgi/response-head.ts";
import type { Exchange } from "./exchange.ts";

export function reportHandlerError(
  error: unknown,
  method: string | undefined,
  url: string | undefined,
): void {
  const what = error instanceof Error ? (error.stack ?? error.message) : inspect(error);
  process.stderr.write(`gwpm: the handler failed on ${method ?? "?"} ${printable(url ?? "?")}: ${what}\n`);
}

/** A URL is the client's: no control characters, and not all of a long one. */
function printable(url: string): string {
  const text = JSON.stringify(url).slice(1, -1);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** An answer of the runtime's own, where the handler gave none. */
export function sendError(exchange: Exchange, status: number): void {
  if (exchange.aborted || exchange.ended) return;
  exchange.head(encodeHead(status, undefined, ["Content-Type", "text/plain"]));
  exchange.end(`${STATUS_CODES[status]}\n`);
}
