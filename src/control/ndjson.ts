/** Sends one JSON document a line, for as long as the reader keeps up: what is past without haste, what is new from a bounded queue. */

import type { ServerResponse } from "node:http";
import type { StreamNotice } from "./messages.ts";

/** Lines go out in writes of about this many characters. */
const WRITE_SIZE = 64 * 1024;
/** How long a reader that was dropped has to fetch the line that says so. */
const FAREWELL_MS = 10_000;

/** One reader of `GET /v1/events` or `GET /v1/logs`. Bound in memory by `maxQueuedBytes`, whatever the reader does. */
export class LineSender {
  readonly #response: ServerResponse;
  readonly #maxQueuedBytes: number;
  #past: readonly unknown[] = [];
  #pastIndex = 0;
  #queue: string[] = [];
  #queuedBytes = 0;
  /** Until `start`, and while the socket takes no more. */
  #blocked = true;
  #following = true;
  #done = false;
  #onDone: () => void = () => {};

  constructor(response: ServerResponse, maxQueuedBytes: number) {
    this.#response = response;
    this.#maxQueuedBytes = maxQueuedBytes;
    response.once("close", () => this.#finish());
    response.on("drain", () => {
      this.#blocked = false;
      this.#pump();
    });
  }

  /**
   * Sends what is past, then what has been pushed, and then, unless `follow`, ends.
   *
   * @param onDone called once when no more lines are wanted: the reader has gone, was dropped, or has it all
   */
  start(past: readonly unknown[], follow: boolean, onDone: () => void): void {
    if (this.#done || this.#response.destroyed) {
      this.#done = true;
      onDone();
      return;
    }
    this.#onDone = onDone;
    this.#past = past;
    this.#following = follow;
    this.#blocked = false;
    this.#response.flushHeaders();
    this.#pump();
  }

  /** Sends one more document, or drops the reader who has too many waiting. */
  push(document: unknown): void {
    if (this.#done) return;
    const line = `${JSON.stringify(document)}\n`;
    this.#queue.push(line);
    this.#queuedBytes += Buffer.byteLength(line);
    if (this.#queuedBytes > this.#maxQueuedBytes) this.#drop();
    else this.#pump();
  }

  #pump(): void {
    while (!this.#blocked && !this.#done) {
      const text = this.#takePast() || this.#takeQueue();
      if (text !== "") {
        this.#blocked = !this.#response.write(text);
        continue;
      }
      if (this.#following) return;
      this.#finish();
      this.#response.end();
    }
  }

  #takePast(): string {
    let text = "";
    while (text.length < WRITE_SIZE && this.#pastIndex < this.#past.length) {
      text += `${JSON.stringify(this.#past[this.#pastIndex])}\n`;
      this.#pastIndex += 1;
    }
    return text;
  }

  #takeQueue(): string {
    const text = this.#queue.join("");
    this.#queue = [];
    this.#queuedBytes = 0;
    return text;
  }

  #drop(): void {
    const notice: StreamNotice = {
      gwpm: "dropped",
      detail: `${this.#queuedBytes} bytes were waiting for a reader that did not fetch them; the limit is ${this.#maxQueuedBytes}. Connect again to go on.`,
    };
    this.#finish();
    this.#response.end(`${JSON.stringify(notice)}\n`);
    const timer = setTimeout(() => this.#response.destroy(), FAREWELL_MS).unref();
    this.#response.once("close", () => clearTimeout(timer));
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#past = [];
    this.#queue = [];
    this.#onDone();
  }
}
