/** A configuration as it was found, before anything in it has a meaning. */

import type { Segment } from "./place.ts";
import type { ConfigIssue } from "./types.ts";

/** Both from 1. */
export interface Spot {
  readonly line: number;
  readonly column: number;
}

export interface Source {
  /** What the file says; of a broken file, as much as could be read. */
  readonly value: unknown;
  /** Whether the file could not be read as a whole, so that what its value lacks says nothing. */
  readonly broken: boolean;
  readonly issues: readonly ConfigIssue[];
  /** Whether a word stands anywhere in the file, so that a broken file may have meant it as a key. */
  mentions(word: string): boolean;
  /** Where a part of the value, or its key, stands in the file; `null` where the format does not let us know. */
  locate(segments: readonly Segment[], of: "key" | "value"): Spot | null;
}
