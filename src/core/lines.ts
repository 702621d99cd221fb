/** Cuts a byte stream into lines, each no longer than a bound. */

export interface Line {
  readonly text: string;
  /** True where the line went on beyond the bound; the rest of it is dropped. */
  readonly truncated: boolean;
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Collects chunks and gives whole lines. A character split between two chunks comes out whole. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  #truncated = false;

  /** @param maxBytes bound of one line; what a line has beyond it is dropped */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes. The chunk is not kept beyond the line that it begins. */
  push(chunk: Buffer, onLine: (line: Line) => void): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      this.#append(chunk.subarray(start, end));
      onLine(this.#take());
      start = end + 1;
    }
    if (start < chunk.length) this.#append(chunk.subarray(start));
  }

  /** Gives the last line, if it did not end with a newline. */
  end(onLine: (line: Line) => void): void {
    if (this.#bytes > 0) onLine(this.#take());
  }

  #append(part: Buffer): void {
    const room = this.#maxBytes - this.#bytes;
    const kept = part.length > room ? part.subarray(0, room) : part;
    if (kept.length < part.length) this.#truncated = true;
    if (kept.length === 0) return;
    this.#parts.push(kept);
    this.#bytes += kept.length;
  }

  #take(): Line {
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    const end = whole.at(-1) === CARRIAGE_RETURN && !this.#truncated ? whole.length - 1 : whole.length;
    const line = { text: whole.toString("utf8", 0, end), truncated: this.#truncated };
    this.#parts = [];
    this.#bytes = 0;
    this.#truncated = false;
    return line;
  }
}
