/** Moves a request body from its source to the connection, as fast as the slower of the two. */

import type { Readable, Writable } from "node:stream";

export interface UploadOptions {
  readonly source: Readable;
  readonly sink: Writable;
  /** Bytes that were announced to the upstream; `null` when the end of the source tells. */
  readonly length: number | null;
  /** A chunk of the body as it goes over the wire. */
  readonly frame: (chunk: Buffer) => readonly Buffer[];
  /** Bytes moved. */
  readonly onProgress: () => void;
  /** Every byte has been given to the sink. */
  readonly onEnd: () => void;
  /** @param what a clause: "its source failed: …" */
  readonly onFailure: (what: string, cause?: unknown) => void;
}

export class Upload {
  readonly #options: UploadOptions;
  #sent = 0;
  #over = false;
  #blocked = false;

  constructor(options: UploadOptions) {
    this.#options = options;
    // Never taken off again: who hands a body over no longer looks after its errors, not even after an early response.
    options.source.on("error", this.#onError);
  }

  /** Whether the next move is the source's, not the upstream's. */
  get starved(): boolean {
    return !this.#over && !this.#blocked;
  }

  /** Whether every byte was sent. */
  get over(): boolean {
    return this.#over;
  }

  start(): void {
    const { source } = this.#options;
    if (source.errored) {
      this.#onError(source.errored);
      return;
    }
    if (source.readableEnded) {
      this.#onEnd();
      return;
    }
    if (source.destroyed) {
      this.#onClose();
      return;
    }
    source.on("data", this.#onData).once("end", this.#onEnd).once("close", this.#onClose);
  }

  /** Leaves the source where it is. */
  stop(): void {
    this.#over = true;
    const { source, sink } = this.#options;
    source.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onClose);
    sink.off("drain", this.#onDrain);
    source.pause();
  }

  readonly #onData = (data: Buffer | string): void => {
    const { sink, source, length, frame, onProgress } = this.#options;
    const chunk = typeof data === "string" ? Buffer.from(data) : data;
    this.#sent += chunk.length;
    if (length !== null && this.#sent > length) {
      this.#fail(`it is longer than the ${length} bytes that its Content-Length announces`);
      return;
    }
    onProgress();
    const room = writeTogether(sink, frame(chunk));
    if (room || this.#over) return;
    this.#blocked = true;
    source.pause();
    sink.once("drain", this.#onDrain);
  };

  readonly #onDrain = (): void => {
    this.#blocked = false;
    this.#options.onProgress();
    this.#options.source.resume();
  };

  readonly #onEnd = (): void => {
    if (this.#over) return;
    const { length } = this.#options;
    if (length !== null && this.#sent < length) {
      this.#fail(`it ended after ${this.#sent} of the ${length} bytes that its Content-Length announces`);
      return;
    }
    this.stop();
    this.#options.onEnd();
  };

  readonly #onClose = (): void => {
    this.#fail("its source was closed before its end");
  };

  readonly #onError = (error: Error): void => {
    this.#fail(`its source failed: ${error.message}`, error);
  };

  #fail(what: string, cause?: unknown): void {
    if (this.#over) return;
    this.stop();
    this.#options.onFailure(what, cause);
  }
}

/** @returns false when the sink will emit 'drain' */
function writeTogether(sink: Writable, pieces: readonly Buffer[]): boolean {
  // A chunked ClientRequest that is corked says "wait for drain", and then emits none (Node 26).
  if (pieces.length === 1) return sink.write(pieces[0]);
  let room = true;
  sink.cork();
  for (const piece of pieces) room = sink.write(piece);
  sink.uncork();
  return room;
}
