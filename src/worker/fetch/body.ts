/** A request body as a web-standard stream, which fetches it as it is read. */

import type { BodySink, Exchange } from "../exchange.ts";

/**
 * Not a byte stream: that one would take over the memory of each chunk, which is part of a buffer that holds other requests' bytes too.
 */
export class FetchBody implements BodySink {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #exchange: Exchange;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #taken = false;
  #over = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => {
          this.#over = true;
          if (this.#taken) exchange.resumeBody();
        },
      },
      { highWaterMark: 0 },
    );
  }

  onChunk(chunk: Buffer): boolean {
    // Cancelled: what still arrives is let through.
    if (this.#over) return true;
    this.#controller.enqueue(chunk);
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  onEnd(error?: Error): void {
    if (this.#over) return;
    if (error !== undefined) {
      this.breakOff(error);
      return;
    }
    this.#over = true;
    this.#controller.close();
  }

  breakOff(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller.error(error);
  }

  #pull(): void {
    if (this.#taken) {
      this.#exchange.resumeBody();
      return;
    }
    this.#taken = true;
    this.#exchange.takeBody(this);
  }
}
