/** Takes one HTTP request to the pool and its response back. */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { pipeline } from "node:stream";
import { type GatewayClient, GatewayError, type GatewayResponse } from "../client.ts";
import { endToEnd } from "../hop-by-hop.ts";
import { problemOf } from "./problem.ts";

/** How long the rest of an unwanted request body is read and thrown away, so that the client gets to see the answer. */
const LINGER_MS = 5_000;

export interface ForwardOptions {
  readonly client: GatewayClient;
  readonly pool: string;
  /** CGI variables of this connection. */
  readonly variables: (request: IncomingMessage) => Record<string, string>;
  /** Whether the connection should be closed after the response. */
  readonly closing: () => boolean;
  /** One line for the operator. */
  readonly log: (line: string) => void;
}

/** Never rejects: whatever goes wrong is the answer, or breaks it off. */
export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  options: ForwardOptions,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  response.once("finish", () => discardRest(request));
  try {
    const answer = await options.client.request({
      method: request.method!,
      uri: request.url!,
      headers: request.rawHeaders,
      params: options.variables(request),
      body: hasBody(request) ? request : undefined,
      signal: gone.signal,
      onStderr: (text) => options.log(`stderr of ${request.method} ${request.url}: ${text.trimEnd()}`),
    });
    answerWith(answer, response, options);
  } catch (error) {
    if (!gone.signal.aborted) refuse(request, response, error, options);
  }
}

function answerWith(answer: GatewayResponse, response: ServerResponse, options: ForwardOptions): void {
  // A 204 has no Content-Length (RFC 9110 §8.6); behind some, clients would wait for that many bytes.
  const headers = endToEnd(answer.headers, answer.status === 204 ? ["content-length"] : []);
  if (options.closing()) headers.push("Connection", "close");
  try {
    response.writeHead(answer.status, answer.reason, headers);
  } catch (error) {
    answer.body.destroy();
    throw error; // A header that HTTP cannot carry.
  }
  // A response that takes its time, such as an event stream, shows its head at once.
  if (answer.timings.totalMs === null && answer.body.readableLength === 0) response.flushHeaders();
  pipeline(answer.body, response, (error) => {
    if (error instanceof GatewayError && error.code !== "GWPM_ABORTED") options.log(error.message);
  });
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  { pool, log, closing }: ForwardOptions,
): void {
  const { status, reason } =
    error instanceof GatewayError
      ? problemOf(error)
      : { status: 502 as const, reason: "the worker's answer cannot be passed on" };
  log(
    `${request.method} ${request.url}: ${status}: ${error instanceof Error ? error.message : String(error)}`,
  );
  const title = STATUS_CODES[status];
  const text = `${status} ${title}\n\nPool "${pool}": ${reason}.\n`;
  response.writeHead(status, title, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "Cache-Control": "no-store",
    ...(closing() ? { Connection: "close" } : {}),
  });
  response.end(text);
}

/** RFC 9112 §6.3: a request has a body when, and only when, one of these says so. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** A client that is still sending reads our answer only when it gets rid of its bytes: closing now would reset the connection under it. */
function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
  request.once("close", () => clearTimeout(timer));
}
