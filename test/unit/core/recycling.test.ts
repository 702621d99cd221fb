import { describe, expect, test } from "vitest";
import {
  limitsFor,
  needsLooking,
  type RecyclePolicy,
  whyKill,
  whyRecycle,
} from "../../../src/core/recycling.ts";

const none: RecyclePolicy = {
  maxRequests: null,
  maxLifetimeMs: null,
  maxMemory: null,
  maxMemoryHard: null,
  maxIdleMs: null,
  jitter: 0.1,
};
const young = { ageMs: 10, requests: 5, rssBytes: 1_000, idleMs: 20 };

describe("limitsFor()", () => {
  test.each([
    [0, 450, 90_000],
    [0.5, 500, 100_000],
    [0.999999, 550, 110_000],
  ])("spreads requests and lifetime with %f to %i and %i", (random, maxRequests, maxLifetimeMs) => {
    const policy = { ...none, maxRequests: 500, maxLifetimeMs: 100_000, maxMemory: 7 };
    expect(limitsFor(policy, random)).toMatchObject({ maxRequests, maxLifetimeMs, maxMemory: 7 });
  });

  test("never makes a limit of nothing", () => {
    expect(limitsFor({ ...none, maxRequests: 1, jitter: 1 }, 0).maxRequests).toBe(1);
  });
});

describe("whyRecycle()", () => {
  test.each([
    [{ maxRequests: 5 }, { kind: "max-requests", served: 5, limit: 5 }],
    [{ maxRequests: 6 }, null],
    [{ maxLifetimeMs: 10 }, { kind: "max-lifetime", ageMs: 10, limitMs: 10 }],
    [{ maxMemory: 999 }, { kind: "max-memory", rssBytes: 1_000, limit: 999 }],
    [{ maxMemory: 1_001 }, null],
    [{ maxIdleMs: 20 }, { kind: "max-idle", idleMs: 20, limitMs: 20 }],
    [{}, null],
  ])("with %o says %o", (limits, cause) => {
    expect(whyRecycle({ ...none, ...limits }, young)).toEqual(cause);
  });

  test("what is not known is no reason", () => {
    const unknown = { ageMs: 1e9, requests: null, rssBytes: null, idleMs: null };
    expect(whyRecycle({ ...none, maxRequests: 1, maxMemory: 1, maxIdleMs: 1 }, unknown)).toBeNull();
  });
});

test("whyKill() heeds the hard limit alone", () => {
  expect(whyKill({ ...none, maxMemory: 1 }, young)).toBeNull();
  expect(whyKill({ ...none, maxMemoryHard: 1_000 }, young)).toEqual({
    kind: "max-memory-hard",
    rssBytes: 1_000,
    limit: 1_000,
  });
});

test("needsLooking() leaves out what workers count themselves", () => {
  expect(needsLooking({ ...none, maxRequests: 500 })).toBe(false);
  expect(needsLooking({ ...none, maxIdleMs: 500 })).toBe(true);
});
