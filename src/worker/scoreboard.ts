/** Records what this worker does in memory that its supervisor reads: no system call per request (docs/scoreboard.md). */

import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { bucketOf } from "../core/histogram.ts";
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

const HEARTBEAT_MS = 1_000;
const SLOT_WORDS = SLOT_BYTES / 8;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

interface Koffi {
  load(path: string | null): { func(prototype: string): (...args: unknown[]) => unknown };
  address(pointer: unknown): bigint;
  view(pointer: unknown, length: number): ArrayBuffer;
}

/**
 * @param fd the file that the supervisor made, of {@link SCOREBOARD_BYTES}
 * @returns `undefined` where memory cannot be shared here; a worker serves without, too
 */
export function openScoreboard(fd: number): Scoreboard | undefined {
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi;
    const libc = koffi.load(process.platform === "darwin" ? "libSystem.dylib" : null);
    const mmap = libc.func(
      "void *mmap(void *address, size_t length, int prot, int flags, int fd, int64_t offset)",
    );
    const pointer = mmap(null, SCOREBOARD_BYTES, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    if (koffi.address(pointer) === MAP_FAILED) return undefined;
    return new Scoreboard(koffi.view(pointer, SCOREBOARD_BYTES));
  } catch {
    return undefined;
  }
}

export class Scoreboard {
  readonly #words: Float64Array;
  readonly #bytes: Uint8Array;
  /** Slots that are not in use, as a stack. */
  readonly #free: number[] = [];
  #loop = performance.eventLoopUtilization();
  #limit = Number.POSITIVE_INFINITY;
  #onLimit = (): void => {};

  /** @param memory {@link SCOREBOARD_BYTES} of it, zeroed. Node runs on little-endian machines only, as the layout is */
  constructor(memory: ArrayBuffer) {
    this.#words = new Float64Array(memory, 0, SCOREBOARD_BYTES / 8);
    this.#bytes = new Uint8Array(memory, 0, SCOREBOARD_BYTES);
    for (let slot = SLOT_COUNT - 1; slot >= 0; slot--) this.#free.push(slot);
    const words = this.#words;
    words[WORD.version] = VERSION;
    words[WORD.pid] = process.pid;
    words[WORD.startedAt] = performance.timeOrigin;
    words[WORD.eventLoopUtilization] = -1;
    words[WORD.updatedAt] = Date.now();
    words[WORD.magic] = MAGIC;
    setInterval(() => this.#beat(), HEARTBEAT_MS).unref();
  }

  /** Calls `onLimit` once, with the request that reaches the limit. */
  limitRequests(limit: number, onLimit: () => void): void {
    this.#limit = limit;
    this.#onLimit = onLimit;
  }

  /** @returns what `requestEnded` needs: the slot, or where none was left the start time in ms, negated */
  requestStarted(method: string, uri: string): number {
    const words = this.#words;
    if (++words[WORD.requests]! === this.#limit) this.#onLimit();
    words[WORD.active]!++;
    const slot = this.#free.pop();
    if (slot === undefined) return -performance.now();
    const at = SLOTS_AT + slot * SLOT_BYTES;
    const word = at / 8;
    words[word + SLOT_WORD.methodLength] = this.#write(method, at + SLOT_TEXT.method, SLOT_TEXT.methodBytes);
    words[word + SLOT_WORD.uriLength] = this.#write(uri, at + SLOT_TEXT.uri, SLOT_TEXT.uriBytes);
    words[word + SLOT_WORD.startedAt] = performance.timeOrigin + performance.now();
    return slot;
  }

  /** @param brokenOff the worker did not send a complete response, by its own fault */
  requestEnded(token: number, status: number, brokenOff: boolean): void {
    const words = this.#words;
    words[WORD.active]!--;
    if (brokenOff || status >= 500) words[WORD.failed]!++;
    const elapsed = token < 0 ? performance.now() + token : this.#leaveSlot(token);
    words[WORD.latencySum]! += elapsed;
    if (elapsed > words[WORD.latencyMax]!) words[WORD.latencyMax] = elapsed;
    words[WORD.histogram + bucketOf(elapsed)]!++;
  }

  /** @returns for how long it was in use, in ms */
  #leaveSlot(slot: number): number {
    const words = this.#words;
    const started = SLOTS_AT / 8 + slot * SLOT_WORDS + SLOT_WORD.startedAt;
    const elapsed = performance.timeOrigin + performance.now() - words[started]!;
    words[started] = 0;
    this.#free.push(slot);
    return elapsed;
  }

  connectionOpened(): void {
    this.#words[WORD.connections]!++;
  }

  connectionClosed(): void {
    this.#words[WORD.connections]!--;
  }

  #write(text: string, at: number, limit: number): number {
    const length = text.length < limit ? text.length : limit;
    for (let i = 0; i < length; i++) this.#bytes[at + i] = text.charCodeAt(i);
    return length;
  }

  #beat(): void {
    const now = performance.eventLoopUtilization();
    this.#words[WORD.eventLoopUtilization] = performance.eventLoopUtilization(now, this.#loop).utilization;
    this.#words[WORD.updatedAt] = Date.now();
    this.#loop = now;
  }
}
