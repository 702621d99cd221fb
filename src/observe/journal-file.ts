/** The journal's file: batched appends that never hold anyone up, one rotation, and the reading back of what an earlier life wrote. */

import { closeSync, fchmodSync, fstatSync, openSync, promises, readSync, write, writeSync } from "node:fs";
import type { JournalEntry } from "../core/events.ts";

/** Lines that may wait for a slow disk; beyond this the newest are dropped and counted. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/**
 * An append-only NDJSON file of mode 0600 that is set aside once, as `<path>.1`, when it reaches its size.
 * A line that a crash or a full disk cut short is skipped when the file is read, and never runs into the next one.
 */
export class JournalFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #warn: (text: string) => void;
  #fd: number | null = null;
  #size = 0;
  /** True when the file does not end with a line feed: the next batch has to begin with one. */
  #torn = false;
  #pending: string[] = [];
  #pendingBytes = 0;
  /** The batch that is being written; `closeSync` writes it again, because the process may be gone before it arrives. */
  #inFlight: readonly string[] | null = null;
  #writing: Promise<void> | null = null;
  #warned = false;
  #closed = false;
  dropped = 0;

  constructor(path: string, maxBytes: number, warn: (text: string) => void) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#warn = warn;
  }

  /** Queues one line, its line feed included. */
  append(line: string): void {
    if (this.#closed || this.#pendingBytes + line.length > MAX_PENDING_BYTES) {
      this.#drop(1, this.#closed ? "it is closed" : "the disk does not keep up");
      return;
    }
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    this.#writing ??= this.#drain();
  }

  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  closeSync(): void {
    if (this.#closed) return;
    this.#closed = true;
    const lines = [...(this.#inFlight ?? []), ...this.#takePending()];
    try {
      if (lines.length > 0) {
        const fd = this.#open();
        writeSync(fd, this.#inFlight === null ? this.#batch(lines) : `\n${lines.join("")}`);
      }
      // A write in flight still needs the descriptor; it goes with the process.
      if (this.#fd !== null && this.#inFlight === null) closeSync(this.#fd);
    } catch (error) {
      this.#drop(lines.length, messageOf(error));
    }
  }

  /**
   * The last entries of the file and of the one set aside, oldest first; an unreadable file is an empty one, with a warning.
   *
   * @param count how many at most
   */
  readTail(count: number): JournalEntry[] {
    const bySeq = new Map<number, JournalEntry>();
    for (const path of [this.#path, `${this.#path}.1`]) {
      if (bySeq.size >= count) break;
      for (const entry of parseLines(this.#readEnd(path))) bySeq.set(entry.seq, entry);
    }
    return [...bySeq.values()].sort((a, b) => a.seq - b.seq).slice(-count);
  }

  #readEnd(path: string): string {
    let fd: number | null = null;
    try {
      fd = openSync(path, "r");
      const size = fstatSync(fd).size;
      const start = Math.max(0, size - this.#maxBytes);
      const bytes = Buffer.alloc(size - start);
      const text = bytes.toString("utf8", 0, readSync(fd, bytes, 0, bytes.length, start));
      return start === 0 ? text : text.slice(text.indexOf("\n") + 1);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        this.#warn(`Cannot read the journal ${path}: ${messageOf(error)}; its events are not shown`);
      }
      return "";
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }

  async #drain(): Promise<void> {
    // Everything that is appended in the same turn goes out in one write.
    await Promise.resolve();
    while (this.#pending.length > 0 && !this.#closed) {
      const lines = this.#takePending();
      this.#inFlight = lines;
      try {
        await this.#rotateIfFull();
        await this.#write(Buffer.from(this.#batch(lines)));
      } catch (error) {
        // What arrived of the batch is unknown: half a line may stand at the end.
        this.#torn = true;
        this.#drop(lines.length, messageOf(error));
      }
      this.#inFlight = null;
    }
    this.#writing = null;
  }

  #takePending(): string[] {
    const lines = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return lines;
  }

  #batch(lines: readonly string[]): string {
    const lead = this.#torn ? "\n" : "";
    this.#torn = false;
    return lead + lines.join("");
  }

  #write(bytes: Buffer): Promise<void> {
    const fd = this.#open();
    return new Promise((resolve, reject) => {
      const next = (offset: number): void => {
        write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
          if (error !== null) return reject(error);
          this.#size += written;
          if (offset + written < bytes.length) next(offset + written);
          else resolve();
        });
      };
      next(0);
    });
  }

  #open(): number {
    if (this.#fd !== null) return this.#fd;
    const fd = openSync(this.#path, "a+", 0o600);
    const stat = fstatSync(fd);
    // A file that is already there keeps its mode through open(2).
    if (stat.isFile()) fchmodSync(fd, 0o600);
    this.#size = stat.size;
    const last = Buffer.alloc(1);
    this.#torn ||= this.#size > 0 && readSync(fd, last, 0, 1, this.#size - 1) === 1 && last[0] !== 0x0a;
    this.#fd = fd;
    return fd;
  }

  async #rotateIfFull(): Promise<void> {
    this.#open();
    if (this.#size < this.#maxBytes) return;
    const fd = this.#fd!;
    this.#fd = null;
    closeSync(fd);
    await promises.rename(this.#path, `${this.#path}.1`);
    this.#torn = false;
  }

  #drop(count: number, why: string): void {
    this.dropped += count;
    if (this.#warned) return;
    this.#warned = true;
    this.#warn(
      `Cannot write to the journal ${this.#path}: ${why}; events are kept in memory only, not on disk`,
    );
  }
}

function* parseLines(text: string): Generator<JournalEntry> {
  for (const line of text.split("\n")) {
    const entry = parseEntry(line);
    if (entry !== null) yield entry;
  }
}

function parseEntry(line: string): JournalEntry | null {
  try {
    const value: unknown = JSON.parse(line);
    return isEntry(value) ? value : null;
  } catch {
    return null; // a torn line
  }
}

function isEntry(value: unknown): value is JournalEntry {
  if (typeof value !== "object" || value === null) return false;
  const { seq, at, type } = value as Record<string, unknown>;
  return Number.isSafeInteger(seq) && typeof at === "number" && typeof type === "string";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
