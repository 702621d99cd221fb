/** The journal: numbers every event, keeps the latest in memory for those who ask, and writes them to a file that outlives us. */

import type { GwpmEvent, JournalEntry } from "../core/events.ts";
import { JournalFile } from "./journal-file.ts";

export interface JournalOptions {
  /** Where to keep the events, such as `<runDir>/journal.ndjson`; `null` keeps them in memory alone. */
  readonly file: string | null;
  /** How many events `since` and `last` reach back. @default 5000 */
  readonly capacity?: number;
  /** Bytes at which the file is set aside as `<file>.1`; both together take at most twice this. @default 4 MiB */
  readonly maxFileBytes?: number;
  /** Told once, in a sentence, when events can no longer be written, and of a follower that threw. */
  readonly onWarning?: (text: string) => void;
}

export type JournalFollower = (entry: JournalEntry) => void;

/**
 * A bounded journal. Nothing here throws after construction and nothing waits for the disk, save {@link Journal.flushSync}:
 * an event that cannot be written is still followed, still in memory, and counted in {@link Journal.dropped}.
 *
 * @example
 * const journal = new Journal({ file: join(runDir, "journal.ndjson") });
 * journal.append({ type: "pool-recovered", at: clock.now(), pool: "web" });
 */
export class Journal {
  readonly #capacity: number;
  readonly #maxFileBytes: number;
  #file: JournalFile | null = null;
  readonly #warn: (text: string) => void;
  readonly #followers = new Set<JournalFollower>();
  /** Oldest first. Grows to twice the capacity before it is cut back, so that an append does not shift thousands. */
  #entries: JournalEntry[] = [];
  #nextSeq = 1;

  /** Reads what an earlier supervisor left in the file: the numbering goes on from there. */
  constructor(options: JournalOptions) {
    this.#capacity = options.capacity ?? 5000;
    this.#warn = options.onWarning ?? (() => {});
    this.#maxFileBytes = options.maxFileBytes ?? 4 * 1024 * 1024;
    if (options.file !== null) this.openFile(options.file);
  }

  /** Goes on where the file ends: what has been in memory alone is numbered after it, and written. */
  openFile(path: string): void {
    const early = this.#entries;
    this.#file = new JournalFile(path, this.#maxFileBytes, this.#warn);
    this.#entries = this.#file.readTail(this.#capacity);
    this.#nextSeq = (this.#entries.at(-1)?.seq ?? 0) + 1;
    for (const entry of early) this.#record(entry);
  }

  /** Leaves the file, with everything in it, to another process; from now on events are in memory alone. */
  async leaveFile(): Promise<void> {
    await this.#file?.flush();
    this.#file?.closeSync();
    this.#file = null;
    this.#entries = [];
  }

  /** Events that could not be written to the file. */
  get dropped(): number {
    return this.#file?.dropped ?? 0;
  }

  /** Numbers the event, remembers it, tells the followers, and queues it for the file. */
  append(event: GwpmEvent): JournalEntry {
    const entry = this.#record(event);
    for (const follower of this.#followers) this.#tell(follower, entry);
    return entry;
  }

  /** Calls `follower` with each event from now on. @returns a function that ends it */
  subscribe(follower: JournalFollower): () => void {
    this.#followers.add(follower);
    return () => this.unsubscribe(follower);
  }

  unsubscribe(follower: JournalFollower): void {
    this.#followers.delete(follower);
  }

  /** Events at or after `ms` (since the epoch), oldest first. */
  since(ms: number): JournalEntry[] {
    return this.last(this.#capacity).filter((entry) => entry.at >= ms);
  }

  /** The latest `count` events, oldest first. */
  last(count: number): JournalEntry[] {
    const wanted = Math.min(Math.max(0, count), this.#capacity);
    return wanted === 0 ? [] : this.#entries.slice(-wanted);
  }

  /** Resolves when every event appended so far is in the file, or has been counted as dropped. */
  async flush(): Promise<void> {
    await this.#file?.flush();
  }

  /** Writes what is still queued and closes the file: the last act before the process exits. */
  flushSync(): void {
    this.#file?.closeSync();
  }

  #record(event: GwpmEvent): JournalEntry {
    const entry: JournalEntry = { ...event, seq: this.#nextSeq };
    this.#nextSeq += 1;
    this.#entries.push(entry);
    if (this.#entries.length >= this.#capacity * 2) {
      this.#entries.splice(0, this.#entries.length - this.#capacity);
    }
    this.#file?.append(`${JSON.stringify(entry)}\n`);
    return entry;
  }

  #tell(follower: JournalFollower, entry: JournalEntry): void {
    try {
      follower(entry);
    } catch (error) {
      this.#followers.delete(follower);
      this.#warn(
        `A follower of the journal threw and was let go: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
}
