/** The books of `gwpm prove`: every request has a number, and every number must get exactly one answer, its own. */

import { BUCKET_COUNT, bucketOf, percentile } from "./histogram.ts";

/** How one request came out. */
export type Outcome =
  | {
      /** A complete response. */
      readonly kind: "answer";
      readonly status: number;
      /** Whose answer the application says it is; `null` where it does not say. */
      readonly echo: "own" | "other" | null;
      /** How often the application says it has handled this number so far; `null` where it does not say. */
      readonly handled: number | null;
    }
  /** The connection, or the front end's, broke before the response was complete: what a killed worker looks like. */
  | { readonly kind: "broken"; readonly reason: string }
  /** No response for any other reason. */
  | { readonly kind: "unanswered"; readonly reason: string }
  /** We stopped waiting because the run was broken off; nobody knows. */
  | { readonly kind: "abandoned" };

/** What is told of a request that did not get its answer. */
export interface LossRecord {
  readonly number: number;
  /** Milliseconds since the run began. */
  readonly atMs: number;
  readonly reason: string;
}

/** `sent` = `answered` + `lost` + `mixedUp` + `brokenByKill` + `abandoned` + those under way. */
export interface LedgerReport {
  readonly sent: number;
  /** Got one complete response, of any status. */
  readonly answered: number;
  readonly lost: number;
  /** Got the answer to another request. */
  readonly mixedUp: number;
  /** Were under way on a connection that broke while a worker was being killed. */
  readonly brokenByKill: number;
  readonly abandoned: number;
  /** Numbers that the application handled more than once; `null` where it does not count. */
  readonly duplicated: number | null;
  /** Answers that named their request. */
  readonly echoed: number;
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Of the answers; interpolated, save `max`, which is exact. */
  readonly latencyMs: {
    readonly p50: number | null;
    readonly p99: number | null;
    readonly p999: number | null;
    readonly max: number | null;
  };
  /** The first {@link MOST_TOLD} of those lost or mixed up. */
  readonly losses: readonly LossRecord[];
}

export const MOST_TOLD = 20;

/**
 * How long after a killed worker's end, in ms, a broken connection is still put down to the kill. The kernel closes a process's connections before it
 * reports the process gone; the time is for a front end to notice and to tell us.
 */
export const KILL_ECHO_MS = 250;

/** A worker being killed: from just before the signal until the process was seen to be gone. */
interface Kill {
  readonly from: number;
  to: number;
}

/**
 * Times are milliseconds of one monotonic clock, the caller's.
 *
 * @example
 * const number = ledger.open(now);
 * ledger.settle(number, { kind: "answer", status: 200, echo: "own", handled: 1 }, later);
 */
export class Ledger {
  readonly #startedAt: number;
  /** Numbers under way, and when they were sent. */
  readonly #open = new Map<number, number>();
  #kills: Kill[] = [];
  #sent = 0;
  #answered = 0;
  #lost = 0;
  #mixedUp = 0;
  #brokenByKill = 0;
  #abandoned = 0;
  #echoed = 0;
  /** Answers that say how often their number was handled; and those that say: more than once. */
  #counted = 0;
  #duplicated = 0;
  readonly #statuses: Record<string, number> = {};
  readonly #losses: LossRecord[] = [];
  readonly #latencies = { counts: new Array<number>(BUCKET_COUNT).fill(0), maxMs: 0 };

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Requests that have not come out yet. */
  get underWay(): number {
    return this.#open.size;
  }

  /** Those that count against the pool. */
  get failures(): number {
    return this.#lost + this.#mixedUp;
  }

  get brokenByKill(): number {
    return this.#brokenByKill;
  }

  /** A request is about to be sent. @returns its number, from 1 */
  open(at: number): number {
    this.#sent += 1;
    this.#open.set(this.#sent, at);
    return this.#sent;
  }

  /**
   * A request has come out.
   *
   * @throws Error for a number that is not under way: a request comes out once
   */
  settle(number: number, outcome: Outcome, at: number): void {
    const sentAt = this.#open.get(number);
    if (sentAt === undefined) throw new Error(`Request ${number} is not under way`);
    this.#open.delete(number);
    switch (outcome.kind) {
      case "answer":
        this.#answer(number, outcome, sentAt, at);
        break;
      case "broken":
        if (this.#isKills(sentAt, at)) this.#brokenByKill += 1;
        else this.#lose(number, outcome.reason, at);
        break;
      case "unanswered":
        this.#lose(number, outcome.reason, at);
        break;
      case "abandoned":
        this.#abandoned += 1;
    }
  }

  /**
   * A worker is about to be killed. What breaks from now until {@link KILL_ECHO_MS} after its end, and was sent before its end, is put down to that.
   *
   * @returns to be called with the time at which the worker was seen to be gone
   */
  killBegins(at: number): (goneAt: number) => void {
    this.#kills = this.#kills.filter(({ to }) => to + KILL_ECHO_MS >= at);
    const kill: Kill = { from: at, to: Number.POSITIVE_INFINITY };
    this.#kills.push(kill);
    return (goneAt) => {
      kill.to = goneAt;
    };
  }

  report(): LedgerReport {
    return {
      sent: this.#sent,
      answered: this.#answered,
      lost: this.#lost,
      mixedUp: this.#mixedUp,
      brokenByKill: this.#brokenByKill,
      abandoned: this.#abandoned,
      duplicated: this.#knownDuplicates(),
      echoed: this.#echoed,
      statuses: { ...this.#statuses },
      latencyMs: {
        p50: percentile(this.#latencies, 0.5),
        p99: percentile(this.#latencies, 0.99),
        p999: percentile(this.#latencies, 0.999),
        max: percentile(this.#latencies, 1),
      },
      losses: [...this.#losses],
    };
  }

  #answer(number: number, outcome: Outcome & { kind: "answer" }, sentAt: number, at: number): void {
    const { status, echo, handled } = outcome;
    if (echo === "other") {
      this.#mixedUp += 1;
      this.#tell(number, "got the answer to another request", at);
      return;
    }
    this.#answered += 1;
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    if (echo === "own") this.#echoed += 1;
    if (handled !== null) this.#counted += 1;
    if (handled !== null && handled > 1) this.#duplicated += 1;
    const ms = at - sentAt;
    this.#latencies.counts[bucketOf(ms)]! += 1;
    this.#latencies.maxMs = Math.max(this.#latencies.maxMs, ms);
  }

  /** Some answers without a count leave open whether there were more. */
  #knownDuplicates(): number | null {
    const complete = this.#counted > 0 && this.#counted === this.#answered;
    return complete || this.#duplicated > 0 ? this.#duplicated : null;
  }

  #isKills(sentAt: number, brokeAt: number): boolean {
    return this.#kills.some(
      ({ from, to }) => brokeAt >= from && brokeAt <= to + KILL_ECHO_MS && sentAt <= to,
    );
  }

  #lose(number: number, reason: string, at: number): void {
    this.#lost += 1;
    this.#tell(number, reason, at);
  }

  #tell(number: number, reason: string, at: number): void {
    if (this.#losses.length < MOST_TOLD)
      this.#losses.push({ number, atMs: Math.round(at - this.#startedAt), reason });
  }
}
