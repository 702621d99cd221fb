/** Serves the control API (SPEC §4) over HTTP/1.1. What a client sends, or fails to fetch, costs that client alone. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { readBody } from "./body.ts";
import { LineSender } from "./ndjson.ts";
import { describeApi } from "./openapi.ts";
import { toProblem } from "./problem.ts";
import { readQuery } from "./query.ts";
import { allowOf, findRoute, MethodError } from "./router.ts";
import type { Answer } from "./routes.ts";
import { type ControlTarget, OperationError } from "./target.ts";

export interface ControlServerOptions {
  /** Of the package, for `/openapi.json`. @default "0.0.0" */
  readonly version?: string;
  /** How many bytes may wait for one follower before it is dropped. @default 1 MiB */
  readonly maxFollowerBytes?: number;
  /** Told of an error that is neither the client's nor an {@link OperationError}. */
  readonly onError?: (error: unknown) => void;
}

/** Enough for every tool on a machine at once; a leak of clients does not eat the supervisor's descriptors. */
const MAX_CONNECTIONS = 128;

/**
 * Makes the server; the caller listens. On the way down, `server.closeAllConnections()` ends the followers.
 *
 * @example
 * createControlServer(supervisor, { version }).listen({ fd });
 */
export function createControlServer(target: ControlTarget, options: ControlServerOptions = {}): Server {
  const server = createServer(
    { maxHeaderSize: 16 * 1024, headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000 },
    (request, response) => {
      request.on("error", ignore);
      response.on("error", ignore);
      answerRequest(target, options, request, response).catch((error: unknown) =>
        answerProblem(options, request, response, error),
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", answerGarbage);
  return server;
}

async function answerRequest(
  target: ControlTarget,
  options: ControlServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method ?? "GET";
  // A request line may hold a whole URL (RFC 9112 §3.2.2); what names the host does not matter here.
  const url = (request.url ?? "/").replace(/^https?:\/\/[^/?]*/i, "");
  const [pathname = "/", search = ""] = url.split(/\?(.*)/s);
  if (pathname === "/openapi.json") {
    const allow = allowOf("GET");
    if (!allow.includes(method)) throw new MethodError(method, pathname, allow.join(", "));
    return send(response, 200, "application/json", describeApi(options.version ?? "0.0.0"));
  }
  const { route, path } = findRoute(method, pathname);
  const query = readQuery(search, route.query);
  const body = route.body === null ? {} : await readBody(request, route.body);
  const answer = await route.handle({ target, path, query, body });
  if (answer.kind === "document") send(response, answer.status, "application/json", answer.document);
  else sendLines(answer, options, method, response);
}

function sendLines(
  answer: Answer & { kind: "lines" },
  options: ControlServerOptions,
  method: string,
  response: ServerResponse,
): void {
  const isHead = method === "HEAD";
  const sender = new LineSender(response, options.maxFollowerBytes ?? 1024 * 1024);
  const { past, unfollow } = answer.open(
    answer.follow && !isHead ? (document) => sender.push(document) : undefined,
  );
  // A stream is the last of its connection: where it ends, the reader should see an end.
  response.writeHead(200, { ...headers("application/x-ndjson"), connection: "close" });
  sender.start(isHead ? [] : past, answer.follow && !isHead, unfollow);
}

function answerProblem(
  options: ControlServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  if (!(error instanceof OperationError)) options.onError?.(error);
  if (error instanceof MethodError) response.setHeader("allow", error.allow);
  // What is left of a body that nobody reads would be taken for the next request.
  if (!request.complete) response.setHeader("connection", "close");
  const problem = toProblem(error);
  send(response, problem.status, "application/problem+json", problem);
}

function send(response: ServerResponse, status: number, contentType: string, document: unknown): void {
  const text = `${JSON.stringify(document)}\n`;
  response.writeHead(status, { ...headers(contentType), "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function headers(contentType: string): Record<string, string> {
  return { "content-type": contentType, "cache-control": "no-store" };
}

/** What is not HTTP gets an answer where it can be given, and its connection closed. */
function answerGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const tooLong = error.code === "HPE_HEADER_OVERFLOW";
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const status = tooLong ? 431 : late ? 408 : 400;
  const problem = toProblem(
    new OperationError("GWPM_BAD_REQUEST", `this is not a request that can be read: ${error.message}`, {
      status,
      exitCode: 2,
    }),
  );
  const text = `${JSON.stringify(problem)}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${problem.title}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  );
}

/** A connection that breaks concerns the client; `close` on the response ends what it followed. */
function ignore(): void {}
