/** The lines of a stream as they come, kept for later and waited for by content. */

import { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import { type WaitOptions, within } from "./wait.ts";

export class Lines {
  /** Everything so far, as it came. */
  text = "";
  /** Complete lines, without their newline. */
  readonly all: string[] = [];
  readonly #arrived = new EventEmitter().setMaxListeners(0);
  #unfinished = "";
  #ended = false;

  constructor(stream: Readable) {
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => this.#take(chunk));
    stream.once("close", () => {
      this.#ended = true;
      this.#arrived.emit("end");
    });
    // A reset connection ends the lines; who owns the stream reports it.
    stream.on("error", () => {});
  }

  /**
   * The first line, past or to come, that matches.
   *
   * @param from index into {@link all} to start at
   * @throws Error with all the lines, when the deadline is over or the stream ends without such a line
   */
  async waitFor(
    matches: RegExp | ((line: string) => boolean),
    { from = 0, ...wait }: WaitOptions & { from?: number },
  ): Promise<string> {
    const test = typeof matches === "function" ? matches : (line: string) => matches.test(line);
    return within(this.#find(test, from, wait.what), wait, () => this.text);
  }

  #find(test: (line: string) => boolean, from: number, what: string): Promise<string> {
    let looked = from;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        while (looked < this.all.length) {
          const line = this.all[looked++]!;
          if (test(line)) {
            stop();
            resolve(line);
            return;
          }
        }
        if (this.#ended) {
          stop();
          reject(new Error(`The stream ended while waiting for ${what}\n${this.text}`));
        }
      };
      const stop = (): void => {
        this.#arrived.off("line", look);
        this.#arrived.off("end", look);
      };
      this.#arrived.on("line", look);
      this.#arrived.on("end", look);
      look();
    });
  }

  #take(chunk: string): void {
    this.text += chunk;
    const lines = (this.#unfinished + chunk).split("\n");
    this.#unfinished = lines.pop()!;
    this.all.push(...lines);
    this.#arrived.emit("line");
  }
}
