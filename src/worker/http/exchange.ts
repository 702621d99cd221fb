/** A plain HTTP request as an exchange, for the handler forms that know nothing else: `gateway` and fetch in an `http` pool. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { headStatus } from "../../protocol/cgi/response-head.ts";
import type { BodySink, Exchange } from "../exchange.ts";
import { HttpParams } from "./params.ts";

type Done = (error?: Error | null) => void;

export class HttpExchange implements Exchange {
  readonly protocol = "http";
  readonly role = "responder";
  readonly params: HttpParams;
  readonly peerAddress: string;
  readonly bodyEmpty: boolean;
  aborted = false;
  status = 0;
  onAbort: (() => void) | null = null;
  onDrain: (() => void) | null = null;
  #ended = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    this.params = new HttpParams(request, request.url ?? "/");
    this.peerAddress = request.socket.remoteAddress ?? "";
    const { "content-length": length, "transfer-encoding": coding } = request.headers;
    this.bodyEmpty = coding === undefined && (length === undefined || Number(length) === 0);
    response.on("drain", () => this.onDrain?.());
    response.once("close", () => this.#closed());
  }

  get headSet(): boolean {
    return this.status !== 0;
  }

  get ended(): boolean {
    return this.#ended;
  }

  takeBody(sink: BodySink): void {
    const request = this.#request;
    request.on("data", (chunk: Buffer) => {
      if (!sink.onChunk(chunk)) request.pause();
    });
    request.once("end", () => sink.onEnd());
    // Without a listener, an abort in the middle of the body would end the process.
    request.on("error", () => {});
  }

  resumeBody(): void {
    this.#request.resume();
  }

  /** There is no filter role in HTTP, hence no data. */
  takeData(sink: BodySink): void {
    sink.onEnd();
  }

  resumeData(): void {}

  head(text: string): void {
    this.status = headStatus(text);
    const lines = text.slice(0, -4).split("\r\n");
    const headers: string[] = [];
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(":");
      headers.push(line.slice(0, colon), line.slice(colon + 2));
    }
    // "Status: 200 OK"
    this.#response.writeHead(this.status, lines[0]!.slice(12), headers as never);
  }

  write(chunk: Buffer | string, encoding?: BufferEncoding, done?: Done): boolean {
    if (this.aborted) return true;
    return this.#response.write(chunk, encoding ?? "utf8", done);
  }

  end(chunk?: Buffer | string, encoding?: BufferEncoding, done?: Done): void {
    if (this.#ended) return;
    this.#ended = true;
    if (done !== undefined) this.#response.once("finish", done);
    if (chunk === undefined) this.#response.end();
    else this.#response.end(chunk, encoding ?? "utf8");
  }

  fail(_reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#response.destroy();
  }

  stderr(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  #closed(): void {
    if (this.#response.writableFinished || this.#ended) return;
    this.aborted = true;
    this.onAbort?.();
  }
}
