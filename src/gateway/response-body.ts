/** The response body as its reader sees it: pulls from the connection, and holds the upstream to the length it promised. */

import { Readable } from "node:stream";

export interface BodyHooks {
  /** The reader has room again. */
  readonly onWanted: () => void;
  /** The reader has gone before the end. */
  readonly onAbandoned: () => void;
}

export class ResponseBody extends Readable {
  /** Bytes that may still come; `Infinity` when the upstream did not say. */
  #remaining: number;
  readonly #expected: boolean;
  #finished = false;
  readonly #hooks: BodyHooks;

  /** @param length of the body, `null` when only its end tells */
  constructor(length: number | null, hooks: BodyHooks) {
    super();
    // The response may break off in the very read that completed its head, before the caller has got hold of this stream: he finds the error in it then,
    // and an 'error' event that nobody listens to must not end the process.
    this.on("error", () => {});
    this.#remaining = length ?? Number.POSITIVE_INFINITY;
    this.#expected = this.#remaining > 0;
    this.#hooks = hooks;
  }

  /** Bytes that were promised and have not come; 0 when nothing was promised. */
  get missing(): number {
    return this.#remaining === Number.POSITIVE_INFINITY ? 0 : this.#remaining;
  }

  /** Whether the promised length, which was more than nothing, has come. */
  get filled(): boolean {
    return this.#remaining === 0 && this.#expected;
  }

  /** Whether the reader has stopped reading for now. */
  get full(): boolean {
    return !this.#finished && this.readableLength >= this.readableHighWaterMark;
  }

  /** Bytes past the promised length are dropped, as nginx does: behind a kept client connection they would be read as the next response. */
  add(chunk: Buffer): void {
    if (this.#finished || this.destroyed || this.#remaining === 0) return;
    const piece = chunk.length > this.#remaining ? chunk.subarray(0, this.#remaining) : chunk;
    this.#remaining -= piece.length;
    this.push(piece);
  }

  finish(): void {
    this.#finished = true;
    this.push(null);
  }

  override _read(): void {
    this.#hooks.onWanted();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#finished) {
      this.#finished = true;
      this.#hooks.onAbandoned();
    }
    done(error);
  }
}
