/** Reads what a worker records of itself in its scoreboard file, also when it is blocked or dead. */

import * as fs from "node:fs";
import { BUCKET_COUNT, type Histogram } from "../core/histogram.ts";
import {
  MAGIC,
  SCOREBOARD_BYTES,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_TEXT,
  SLOT_WORD,
  SLOTS_AT,
  VERSION,
  WORD,
} from "../core/scoreboard-layout.ts";

export interface CurrentRequest {
  readonly method: string;
  /** Cut where it is long. */
  readonly uri: string;
  readonly elapsedMs: number;
}

export interface ScoreboardSnapshot {
  readonly pid: number;
  /** ms since the epoch. */
  readonly startedAt: number;
  /** ms since the epoch; falls behind while the worker's event loop is blocked. */
  readonly updatedAt: number;
  readonly requests: number;
  readonly active: number;
  readonly failed: number;
  readonly connections: number;
  readonly latency: Histogram;
  readonly latencySumMs: number;
  /** 0 to 1; `null` where the worker does not measure it. */
  readonly eventLoopUtilization: number | null;
  /** The requests that are not over, the oldest first. */
  readonly current: readonly CurrentRequest[];
}

export interface ScoreboardReader {
  /** @returns `null` while the worker has not set its board up, and for ever where it ignores it */
  read(): ScoreboardSnapshot | null;
  close(): void;
}

/** Makes an empty board that only its owner may read: it holds URLs. */
export function createScoreboard(path: string): void {
  const fd = fs.openSync(path, "w", 0o600);
  try {
    fs.ftruncateSync(fd, SCOREBOARD_BYTES);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Reads by read(2): it sees the same pages that the worker has mapped, and needs no mapping of ours.
 *
 * @param now ms since the epoch
 */
export function openScoreboard(path: string, now: () => number = Date.now): ScoreboardReader {
  const fd = fs.openSync(path, "r");
  const bytes = Buffer.alloc(SCOREBOARD_BYTES);
  let open = true;
  return {
    read() {
      if (!open || fs.readSync(fd, bytes, 0, SCOREBOARD_BYTES, 0) < SCOREBOARD_BYTES) return null;
      return snapshot(bytes, now());
    },
    close() {
      if (open) fs.closeSync(fd);
      open = false;
    },
  };
}

function snapshot(bytes: Buffer, now: number): ScoreboardSnapshot | null {
  const word = (index: number) => bytes.readDoubleLE(index * 8);
  if (word(WORD.magic) !== MAGIC || word(WORD.version) !== VERSION) return null;
  const utilization = word(WORD.eventLoopUtilization);
  return {
    pid: word(WORD.pid),
    startedAt: word(WORD.startedAt),
    updatedAt: word(WORD.updatedAt),
    requests: word(WORD.requests),
    active: word(WORD.active),
    failed: word(WORD.failed),
    connections: word(WORD.connections),
    latency: {
      counts: Array.from({ length: BUCKET_COUNT }, (_, i) => word(WORD.histogram + i)),
      maxMs: word(WORD.latencyMax),
    },
    latencySumMs: word(WORD.latencySum),
    eventLoopUtilization: utilization < 0 ? null : utilization,
    current: currentRequests(bytes, now),
  };
}

function currentRequests(bytes: Buffer, now: number): CurrentRequest[] {
  const found: CurrentRequest[] = [];
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const at = SLOTS_AT + slot * SLOT_BYTES;
    const startedAt = bytes.readDoubleLE(at + SLOT_WORD.startedAt * 8);
    if (startedAt === 0) continue;
    const text = (start: number, length: number, limit: number) =>
      bytes.toString("latin1", at + start, at + start + Math.min(length, limit));
    found.push({
      method: text(
        SLOT_TEXT.method,
        bytes.readDoubleLE(at + SLOT_WORD.methodLength * 8),
        SLOT_TEXT.methodBytes,
      ),
      uri: text(SLOT_TEXT.uri, bytes.readDoubleLE(at + SLOT_WORD.uriLength * 8), SLOT_TEXT.uriBytes),
      elapsedMs: Math.max(0, now - startedAt),
    });
  }
  return found.sort((a, b) => b.elapsedMs - a.elapsedMs);
}
