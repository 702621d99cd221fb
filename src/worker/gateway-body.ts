/** A request body for `for await`: one chunk at a time, and no further reading than the handler keeps up with. */

import type { BodySink } from "./exchange.ts";
import { clientGone } from "./request-context.ts";

/** Where the chunks come from: the body or the data stream of an exchange. */
export interface BodySource {
  take(sink: BodySink): void;
  resume(): void;
}

interface Waiter {
  resolve(result: IteratorResult<Buffer, undefined>): void;
  reject(error: Error): void;
}

const DONE: IteratorResult<Buffer, undefined> = { done: true, value: undefined };

/** `request.buffer()` was given a smaller limit than the body has bytes; uncaught, it becomes a 413. */
export class BodyTooLargeError extends Error {
  override readonly name = "BodyTooLargeError";
  readonly code = "GWPM_BODY_TOO_LARGE";
  readonly status = 413;

  constructor(limit: number) {
    super(`The request body is longer than the limit of ${limit} bytes`);
  }
}

export class BodyReader implements AsyncIterableIterator<Buffer, undefined>, BodySink {
  readonly #source: BodySource;
  readonly #queue: Buffer[] = [];
  #waiter: Waiter | null = null;
  #ended = false;
  #error: Error | undefined;

  constructor(source: BodySource) {
    this.#source = source;
    source.take(this);
  }

  onChunk(chunk: Buffer): boolean {
    if (this.#ended) return true;
    const waiter = this.#waiter;
    if (waiter === null) {
      this.#queue.push(chunk);
      return false;
    }
    this.#waiter = null;
    waiter.resolve({ done: false, value: chunk });
    return true;
  }

  onEnd(error?: Error): void {
    this.#finish(error);
  }

  /** The front end has gone away: what it has not sent will not come. */
  abort(): void {
    this.#finish(clientGone());
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    const chunk = this.#queue.shift();
    if (chunk !== undefined) {
      if (this.#queue.length === 0 && !this.#ended) this.#source.resume();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** The loop was left early: the rest is let through unread. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#ended = true;
    this.#queue.length = 0;
    this.#source.resume();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @throws BodyTooLargeError */
  async readAll(limit: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this) {
      size += chunk.length;
      if (size > limit) throw new BodyTooLargeError(limit);
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
  }

  #finish(error: Error | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    const waiter = this.#waiter;
    this.#waiter = null;
    if (waiter === null) return;
    if (error === undefined) waiter.resolve(DONE);
    else waiter.reject(error);
  }
}
