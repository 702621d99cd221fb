import { describe, expect, test } from "vitest";
import {
  afterCrash,
  afterReady,
  type Backoff,
  type BackoffPolicy,
  calm,
  degradedUntil,
  isDegraded,
} from "../../../src/core/backoff.ts";

const policy: BackoffPolicy = { minMs: 100, maxMs: 30_000, degradedAfter: 5, windowMs: 60_000 };

/** An hour of a pool whose worker dies `readyForMs` after each start: when each start took place. */
function hourOf(readyForMs: number | null, random = 0.5): { starts: number[]; last: Backoff } {
  const starts: number[] = [];
  let backoff = calm;
  let now = 0;
  while (now < 3_600_000) {
    starts.push(now);
    if (readyForMs !== null) backoff = afterReady(backoff);
    now += 40 + (readyForMs ?? 0);
    backoff = afterCrash(backoff, policy, readyForMs, now, random);
    now = Math.max(now, backoff.retryAt);
  }
  return { starts, last: backoff };
}

describe("afterCrash()", () => {
  test("a worker that cannot start is tried less and less often, and for ever", () => {
    const { starts } = hourOf(null);
    expect(starts.slice(0, 5)).toEqual([0, 140, 380, 820, 1_660]);
    expect(starts.filter((at) => at < 10_000).length).toBeLessThanOrEqual(8);
    const gaps = starts.slice(1).map((at, i) => at - starts[i]!);
    expect(Math.max(...gaps)).toBe(30_040);
    expect(starts.length).toBeGreaterThan(100);
  });

  test("the crash of a worker that had been ready is made good at once", () => {
    expect(afterCrash(calm, policy, 10, 1_000, 0.5)).toMatchObject({ failures: 0, retryAt: 0, trial: false });
    expect(afterCrash(calm, policy, 3_600_000, 1_000, 0.5)).toMatchObject({
      failures: 0,
      retryAt: 0,
      trial: false,
    });
  });

  test("a worker that crashes right after it got ready is slowed down once such crashes pile up", () => {
    const { starts } = hourOf(200);
    const gaps = starts.slice(1).map((at, i) => Math.round(at - starts[i]!));
    expect(gaps.slice(0, 7)).toEqual([240, 240, 240, 240, 340, 440, 640]);
    expect(Math.max(...gaps)).toBe(30_240);
  });

  test("one that stays up for a while is always replaced at once", () => {
    const { starts, last } = hourOf(500);
    expect(last.failures).toBe(0);
    expect(starts[1]).toBe(540);
  });

  test("jitter is ±20 %", () => {
    expect(afterCrash(calm, policy, null, 0, 0).retryAt).toBeCloseTo(80);
    expect(afterCrash(calm, policy, null, 0, 1).retryAt).toBeCloseTo(120);
  });

  test("readiness ends the trial, not the count", () => {
    const failed = afterCrash(calm, policy, null, 0, 0.5);
    expect(failed.trial).toBe(true);
    expect(afterReady(failed)).toEqual({ ...failed, trial: false });
  });
});

describe("isDegraded()", () => {
  test("after five crashes in a minute, until the window has passed", () => {
    let backoff = calm;
    for (let i = 0; i < 5; i++) backoff = afterCrash(backoff, policy, 1_000, i * 1_000, 0.5);
    expect(isDegraded(backoff, policy, 5_000)).toBe(true);
    expect(degradedUntil(backoff, policy)).toBe(60_000);
    expect(isDegraded(backoff, policy, 60_001)).toBe(false);
  });

  test("as long as nothing starts, however slow the retries have become", () => {
    const { last } = hourOf(null);
    expect(isDegraded(last, policy, 3_700_000)).toBe(true);
  });
});
