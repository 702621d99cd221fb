import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  failedToStart,
  nextTick,
  starting,
  step,
  type WorkerInput,
  type WorkerState,
} from "../../../src/core/worker.ts";

const stop: WorkerInput = { kind: "stop", cause: { kind: "recycle", by: "operator" }, graceMs: 5_000 };
const exited: WorkerInput = { kind: "exited", code: 0, signal: null };

/** Feeds inputs at their times; collects the kinds of states and effects. */
function live(...timeline: [at: number, input: WorkerInput][]): {
  states: string[];
  effects: string[];
  last: WorkerState;
} {
  let state = starting(0, 30_000);
  const states: string[] = [];
  const effects: string[] = [];
  for (const [at, input] of timeline) {
    const next = step(state, input, at);
    state = next.state;
    states.push(state.kind);
    effects.push(...next.effects.map((effect) => effect.kind));
  }
  return { states, effects, last: state };
}

describe("a worker's life", () => {
  test("starts, serves, drains and goes", () => {
    const { states, effects, last } = live([50, { kind: "ready" }], [60, stop], [70, exited]);
    expect(states).toEqual(["ready", "draining", "gone"]);
    expect(effects).toEqual(["send-drain"]);
    expect(last).toMatchObject({ exit: { kind: "stopped", cause: { kind: "recycle" } }, wasReady: true });
  });

  test("escalates from drain to signal to SIGKILL, each at its time", () => {
    const tick: WorkerInput = { kind: "tick" };
    const { states, effects, last } = live(
      [0, { kind: "ready" }],
      [100, stop],
      [5_099, tick],
      [5_100, tick],
      [6_099, tick],
      [6_100, tick],
      [6_200, { kind: "exited", code: null, signal: "SIGKILL" }],
    );
    expect(states).toEqual(["ready", "draining", "draining", "draining", "draining", "killing", "gone"]);
    expect(effects).toEqual(["send-drain", "send-stop-signal", "kill-group"]);
    expect(last).toMatchObject({ exit: { kind: "killed", afterMs: 6_100 } });
  });

  test("a short deadline shortens the signal's grace", () => {
    const brief: WorkerInput = { ...stop, graceMs: 100 };
    const { effects } = live(
      [0, { kind: "ready" }],
      [0, brief],
      [100, { kind: "tick" }],
      [200, { kind: "tick" }],
    );
    expect(effects).toEqual(["send-drain", "send-stop-signal", "kill-group"]);
  });

  test("one that is not ready in time has failed to start", () => {
    const { states, effects, last } = live([30_000, { kind: "tick" }], [30_010, exited]);
    expect(states).toEqual(["draining", "gone"]);
    expect(effects).toEqual(["send-stop-signal"]);
    expect(last).toMatchObject({
      exit: { kind: "stopped", cause: { kind: "start-timeout", limitMs: 30_000 } },
    });
    if (last.kind === "gone") expect(failedToStart(last.exit)).toBe(true);
  });

  test("ending by itself is a crash, or before readiness a failed start", () => {
    expect(live([10, exited]).last).toMatchObject({ exit: { kind: "start-failed" } });
    expect(live([10, { kind: "ready" }], [900, exited]).last).toMatchObject({
      exit: { kind: "crashed" },
      readyForMs: 890,
    });
    expect(live([0, { kind: "spawn-failed", error: "ENOENT" }]).last).toMatchObject({
      exit: { kind: "spawn-failed", error: "ENOENT" },
    });
  });

  test("readiness that crosses a stop changes nothing", () => {
    expect(live([10, stop], [11, { kind: "ready" }]).states).toEqual(["draining", "draining"]);
  });
});

test("whatever happens, a stop ends in an exit or in SIGKILL within its time", () => {
  const input = fc.constantFrom<WorkerInput>({ kind: "ready" }, stop, { kind: "tick" });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2_000), input)), (noise) => {
      let now = 0;
      let state = starting(0, 30_000);
      const seen: string[] = [];
      const feed = (one: WorkerInput): void => {
        const next = step(state, one, now);
        state = next.state;
        seen.push(...next.effects.map((effect) => effect.kind));
      };
      for (const [wait, one] of noise) {
        now += wait;
        feed(one);
      }
      feed(stop);
      const asked = now;
      while (state.kind !== "killing") {
        expect(nextTick(state)).toBeLessThan(Number.POSITIVE_INFINITY);
        now = Math.max(now, nextTick(state));
        feed({ kind: "tick" });
      }
      expect(now - asked).toBeLessThanOrEqual(6_000);
      expect(seen).toContain("kill-group");
    }),
  );
});
