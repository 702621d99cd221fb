/** One worker's stdout or stderr: a named pipe that outlives the supervisor, read line by line. */

import * as fs from "node:fs";
import { Socket } from "node:net";
import { type Line, LineSplitter } from "../core/lines.ts";
import { makeFifo, openFifo, openFifoForWorker, readAvailable } from "../system/fifo.ts";

export class OutputCapture {
  readonly path: string;
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #lines: LineSplitter;
  readonly #onLine: (line: Line) => void;

  private constructor(path: string, maxLineBytes: number, onLine: (line: Line) => void) {
    this.path = path;
    this.#lines = new LineSplitter(maxLineBytes);
    this.#onLine = onLine;
    this.#fd = openFifo(path);
    this.#socket = new Socket({ fd: this.#fd, readable: true, writable: false });
    this.#socket.on("data", (chunk: Buffer) => this.#lines.push(chunk, onLine));
    this.#socket.on("error", () => {});
    this.#socket.resume();
  }

  /** Makes the pipe anew and reads it. */
  static create(path: string, maxLineBytes: number, onLine: (line: Line) => void): OutputCapture {
    makeFifo(path);
    return new OutputCapture(path, maxLineBytes, onLine);
  }

  /** Goes on reading the pipe of a worker that an earlier supervisor started. */
  static reopen(path: string, maxLineBytes: number, onLine: (line: Line) => void): OutputCapture | undefined {
    return fs.existsSync(path) ? new OutputCapture(path, maxLineBytes, onLine) : undefined;
  }

  /** An fd for the worker; the caller closes it once the worker has been spawned. */
  openForWorker(): number {
    return openFifoForWorker(this.path);
  }

  /** Leaves the pipe to another reader. */
  release(): void {
    this.#socket.destroy();
  }

  /** Reads what the dead worker left in the pipe, then removes it. */
  finish(): void {
    readAvailable(this.#fd, (chunk) => this.#lines.push(chunk, this.#onLine));
    this.#lines.end(this.#onLine);
    this.#socket.destroy();
    fs.rmSync(this.path, { force: true });
  }
}
