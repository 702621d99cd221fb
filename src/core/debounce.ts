/**
 * When changes of files become a reload: once nothing has changed for a while, and never while one is under way. What changes
 * meanwhile makes exactly one more.
 */

/** More names are not remembered: a checkout of ten thousand files is told as "a thousand and more". */
const MOST_NAMES = 1_000;

/** Some of what has changed. */
export interface Changes {
  /** The file that changed first. */
  readonly first: string;
  /** How many others changed, each counted once. */
  readonly more: number;
  /** Whether there were more than were counted. */
  readonly uncounted: boolean;
}

/** What happened to a file. */
export type Happening = "came" | "changed" | "went";

/** Times are monotonic milliseconds. */
export class Debounce {
  readonly #quietMs: number;
  #files = new Map<string, Happening>();
  #uncounted = false;
  #lastAt = 0;
  #busy = false;

  /** @param quietMs how long nothing must have changed */
  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /** When to ask for a reload; Infinity while nothing has changed, or what was asked for has not ended. */
  get dueAt(): number {
    return this.#busy || this.#files.size === 0 ? Number.POSITIVE_INFINITY : this.#lastAt + this.#quietMs;
  }

  note(file: string, now: number, what: Happening = "changed"): void {
    this.#lastAt = now;
    const before = this.#files.get(file);
    // What came and went was an editor's temporary file.
    if (before === "came" && what === "went") this.#files.delete(file);
    else if (before === undefined && this.#files.size >= MOST_NAMES) this.#uncounted = true;
    else this.#files.set(file, before ?? what);
  }

  /** Files are still being written, though it is not known yet which: what there is to reload waits on. */
  stir(now: number): void {
    this.#lastAt = now;
  }

  /** A reload has been asked for. It may have to wait for its turn; what changes until it begins is part of it. */
  asked(): void {
    this.#busy = true;
  }

  /** The reload begins. What changes from here on is for the next one. @returns what it is for; `null` if there is nothing */
  begin(): Changes | null {
    const [first] = this.#files.keys();
    if (first === undefined) return null;
    const changes = { first, more: this.#files.size - 1, uncounted: this.#uncounted };
    this.#files = new Map();
    this.#uncounted = false;
    return changes;
  }

  /** The reload has ended, well or badly. */
  ended(): void {
    this.#busy = false;
  }
}

/** Completes "asked by …": `a change of lib/a.js +2 more`. */
export function describeChanges({ first, more, uncounted }: Changes): string {
  const others = uncounted ? ` +${more + 1} or more` : more > 0 ? ` +${more} more` : "";
  return `a change of ${first}${others}`;
}
