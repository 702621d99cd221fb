/** A request body between the wire, which delivers it, and the handler, which takes it when it likes. */

import type { BodySink } from "./exchange.ts";

/** How much of one body waits for its handler before the connection is read no further. */
const HIGH_WATER_MARK = 128 * 1024;
/** Counted for each waiting chunk on top of its bytes, as a peer may send them one by one. */
const CHUNK_OVERHEAD = 128;

/** Stops and continues reading. Calls are paired. */
export interface FlowGate {
  hold(): void;
  release(): void;
}

export class RequestBody {
  readonly #gate: FlowGate;
  #sink: BodySink | null = null;
  #queue: Buffer[] = [];
  #queued = 0;
  #paused = false;
  #resumes = 0;
  #holding = false;
  #ended = false;
  #endDelivered = false;
  #error: Error | undefined;
  #discarding = false;

  constructor(gate: FlowGate) {
    this.#gate = gate;
  }

  /** The next part has arrived. */
  push(chunk: Buffer): void {
    if (this.#discarding || this.#ended) return;
    if (this.#sink !== null && !this.#paused) {
      this.#give(this.#sink, chunk);
      return;
    }
    this.#queue.push(chunk);
    this.#queued += chunk.length + CHUNK_OVERHEAD;
    if (this.#queued >= HIGH_WATER_MARK && !this.#holding) {
      this.#holding = true;
      this.#gate.hold();
    }
  }

  /** All of it has arrived, or, with `error`, all that will. */
  end(error?: Error): void {
    this.#ended = true;
    this.#error = error;
    this.#deliver();
  }

  take(sink: BodySink): void {
    this.#sink = sink;
    this.#deliver();
  }

  resume(): void {
    this.#resumes++;
    this.#paused = false;
    this.#deliver();
  }

  /** Nobody wants the rest: it is let through without being kept, and the sink hears no more of it. */
  discard(): void {
    this.#discarding = true;
    this.#queue = [];
    this.#release();
  }

  #deliver(): void {
    const sink = this.#sink;
    if (sink === null) return;
    while (!this.#paused && !this.#discarding && this.#queue.length > 0) {
      const chunk = this.#queue.shift()!;
      this.#queued -= chunk.length + CHUNK_OVERHEAD;
      this.#give(sink, chunk);
    }
    if (this.#queued < HIGH_WATER_MARK / 2) this.#release();
    if (
      this.#ended &&
      !this.#paused &&
      !this.#discarding &&
      this.#queue.length === 0 &&
      !this.#endDelivered
    ) {
      this.#endDelivered = true;
      sink.onEnd(this.#error);
    }
  }

  #give(sink: BodySink, chunk: Buffer): void {
    const resumes = this.#resumes;
    // A sink may ask for more while it is still being given this chunk; that counts for more than the pause that it returns then.
    if (!sink.onChunk(chunk) && this.#resumes === resumes) this.#paused = true;
  }

  #release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    this.#gate.release();
  }
}
