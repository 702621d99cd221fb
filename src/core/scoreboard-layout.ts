/**
 * Where things are in a worker's scoreboard file; docs/scoreboard.md says it in words for other languages. All numbers are little-endian
 * IEEE 754 doubles with one writer, the worker. A change of anything here is a new {@link VERSION}.
 */

import { BUCKET_COUNT } from "./histogram.ts";

/** The bytes "gwpm" as a big-endian integer, stored as a double. */
export const MAGIC = 0x6777706d;
export const VERSION = 1;

/** Indices of 8-byte words from the start of the file. */
export const WORD = {
  /** Written last when a worker sets its board up: until then there is nothing to read. */
  magic: 0,
  version: 1,
  pid: 2,
  /** ms since the epoch. */
  startedAt: 3,
  /** ms since the epoch, about once a second: stands still while the worker's event loop is blocked. */
  updatedAt: 4,
  /** Requests that have reached the handler. */
  requests: 5,
  /** Those of them that are not over. */
  active: 6,
  /** Those that ended with a 5xx status or a response broken off by the worker. */
  failed: 7,
  /** Open connections from front ends. */
  connections: 8,
  /** Of all requests that are over, in ms. */
  latencySum: 9,
  latencyMax: 10,
  /** 0 to 1, of the last second; -1 where it is not known. */
  eventLoopUtilization: 11,
  /** {@link BUCKET_COUNT} counters; see histogram.ts. */
  histogram: 16,
} as const;

/** Requests that are not over, at most so many of them; the rest is only counted. */
export const SLOT_COUNT = 128;
export const SLOT_BYTES = 256;
/** Byte offset of the first slot. */
export const SLOTS_AT = (WORD.histogram + BUCKET_COUNT) * 8;

/** Indices of 8-byte words from the start of a slot. */
export const SLOT_WORD = {
  /** ms since the epoch; 0 in a free slot. Written last, and zeroed first. */
  startedAt: 0,
  methodLength: 1,
  uriLength: 2,
} as const;

/** Byte offsets from the start of a slot; the text is latin1, longer values are cut. */
export const SLOT_TEXT = { method: 24, methodBytes: 16, uri: 40, uriBytes: SLOT_BYTES - 40 } as const;

export const SCOREBOARD_BYTES = SLOTS_AT + SLOT_COUNT * SLOT_BYTES;
