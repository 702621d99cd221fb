/** An exchange without a wire, whose other end a test plays: it sends the body, reads the response, or goes away. */

import { headStatus } from "../../../src/protocol/cgi/response-head.ts";
import type { Params } from "../../../src/protocol/params.ts";
import type { BodySink, Exchange } from "../../../src/worker/exchange.ts";

type Done = (error?: Error | null) => void;

export class FakeParams implements Params {
  readonly #pairs: string[];

  constructor(variables: Readonly<Record<string, string>>, more: readonly string[] = []) {
    this.#pairs = [...Object.entries(variables).flat(), ...more];
  }

  get size(): number {
    return this.#pairs.length / 2;
  }

  get(name: string): string | undefined {
    const at = this.#pairs.findLastIndex((each, i) => i % 2 === 0 && each === name);
    return at < 0 ? undefined : this.#pairs[at + 1];
  }

  pairs(prefix = ""): string[] {
    const list: string[] = [];
    for (let i = 0; i < this.#pairs.length; i += 2) {
      if (this.#pairs[i]!.startsWith(prefix)) list.push(this.#pairs[i]!, this.#pairs[i + 1]!);
    }
    return list;
  }

  toObject(): Record<string, string> {
    const object: Record<string, string> = Object.create(null);
    for (let i = 0; i < this.#pairs.length; i += 2) object[this.#pairs[i]!] = this.#pairs[i + 1]!;
    return object;
  }
}

const DEFAULTS = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/",
  SERVER_PROTOCOL: "HTTP/1.1",
  HTTP_HOST: "example.test",
};

export class FakeExchange implements Exchange {
  readonly protocol = "fastcgi";
  readonly role: Exchange["role"] = "responder";
  readonly params: FakeParams;
  readonly peerAddress = "";
  readonly bodyEmpty: boolean;
  aborted = false;
  ended = false;
  failure: string | undefined;
  headText: string | undefined;
  /** Set to false to play a peer that reads too slowly. */
  writable = true;
  /** How often the handler's side has asked for more of the body. */
  resumes = 0;
  onAbort: (() => void) | null = null;
  onDrain: (() => void) | null = null;
  sink: BodySink | undefined;
  readonly #body: Buffer[] = [];
  readonly #over: (() => void)[] = [];

  /** @param options `body: true`: the test sends one with `sink` */
  constructor(
    variables: Readonly<Record<string, string>> = {},
    options: { body?: boolean; more?: readonly string[] } = {},
  ) {
    this.params = new FakeParams({ ...DEFAULTS, ...variables }, options.more);
    this.bodyEmpty = options.body !== true;
  }

  get headSet(): boolean {
    return this.headText !== undefined;
  }

  get status(): number {
    return this.headText === undefined ? 0 : headStatus(this.headText);
  }

  get body(): string {
    return Buffer.concat(this.#body).toString("latin1");
  }

  takeBody(sink: BodySink): void {
    if (this.sink !== undefined) throw new Error("takeBody was called twice");
    this.sink = sink;
  }

  resumeBody(): void {
    this.resumes += 1;
  }

  takeData(sink: BodySink): void {
    sink.onEnd();
  }

  resumeData(): void {}

  head(text: string): void {
    if (this.headText !== undefined) throw new Error("head was called twice");
    this.headText = text;
  }

  write(chunk: Buffer | string, encoding?: BufferEncoding, done?: Done): boolean {
    if (!this.headSet || this.ended) throw new Error("write was called before head, or after end");
    if (this.aborted) return true;
    this.#body.push(toBuffer(chunk, encoding));
    if (done !== undefined) setImmediate(done);
    return this.writable;
  }

  end(chunk?: Buffer | string, encoding?: BufferEncoding, done?: Done): void {
    if (!this.headSet || this.ended) throw new Error("end was called before head, or twice");
    if (chunk !== undefined) this.#body.push(toBuffer(chunk, encoding));
    this.ended = true;
    if (done !== undefined) setImmediate(done);
    setImmediate(() => this.#finish());
  }

  fail(reason: string): void {
    this.failure = reason;
    this.ended = true;
    setImmediate(() => this.#finish());
  }

  stderr(): void {}

  /** The front end goes away. */
  abort(): void {
    this.aborted = true;
    this.onAbort?.();
  }

  /** Resolves a turn after the response has ended or been broken off. */
  over(): Promise<void> {
    return new Promise((resolve) => {
      if (this.ended) setImmediate(resolve);
      else this.#over.push(resolve);
    });
  }

  #finish(): void {
    for (const resolve of this.#over.splice(0)) resolve();
  }
}

function toBuffer(chunk: Buffer | string, encoding?: BufferEncoding): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
}
