import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { afterCrash, afterReady, type Backoff, type BackoffPolicy, calm } from "../../../src/core/backoff.ts";
import type { StopCause } from "../../../src/core/events.ts";
import { isSettled, type PlannedWorker, type PoolPlanInput, planPool } from "../../../src/core/plan.ts";
import { batchSize, judgeRollout } from "../../../src/core/rollout.ts";

const reload: StopCause = { kind: "reload", toGeneration: 2 };
const recycle: StopCause = { kind: "recycle", by: "operator" };

function pool(over: Partial<PoolPlanInput> = {}): PoolPlanInput {
  return {
    stopping: null,
    wanted: 2,
    generation: 1,
    generationCause: reload,
    hold: false,
    batch: 1,
    workers: [],
    backoff: calm,
    vacated: new Map(),
    now: 1_000,
    ...over,
  };
}

function worker(slot: number, over: Partial<PlannedWorker> = {}): PlannedWorker {
  const generation = over.generation ?? 1;
  return {
    id: slot + 10 * generation,
    slot,
    generation,
    pid: 100 + slot,
    phase: "ready",
    replace: null,
    ...over,
  };
}

const starts = (input: PoolPlanInput) =>
  planPool(input)
    .actions.filter((action) => action.kind === "start")
    .map((action) => action.slot);
const stops = (input: PoolPlanInput) =>
  planPool(input)
    .actions.filter((action) => action.kind === "stop")
    .map((action) => action.id);

describe("planPool()", () => {
  test("starts every missing worker at once", () => {
    expect(starts(pool({ wanted: 3 }))).toEqual([0, 1, 2]);
    expect(starts(pool({ wanted: 3, workers: [worker(1)] }))).toEqual([0, 2]);
  });

  test("starts no more than 32 at a time", () => {
    expect(starts(pool({ wanted: 100 }))).toHaveLength(32);
    const starting = Array.from({ length: 30 }, (_, slot) => worker(slot, { phase: "starting" }));
    expect(starts(pool({ wanted: 100, workers: starting }))).toEqual([30, 31]);
  });

  test("leaves a pool alone that has what it wants", () => {
    const settled = pool({ workers: [worker(0), worker(1)] });
    expect(planPool(settled)).toEqual({ actions: [], wakeAt: Number.POSITIVE_INFINITY });
    expect(isSettled(settled)).toBe(true);
  });

  test("starts successors a batch at a time and stops no old worker before its successor is ready", () => {
    const old = [worker(0), worker(1)];
    expect(planPool(pool({ generation: 2, workers: old })).actions).toEqual([
      { kind: "start", slot: 0, cause: { kind: "reload", fromGeneration: 1 } },
    ]);
    const half = [...old, worker(0, { generation: 2, phase: "starting" })];
    expect(planPool(pool({ generation: 2, workers: half })).actions).toEqual([]);
    const next = [...old, worker(0, { generation: 2 })];
    expect(stops(pool({ generation: 2, workers: next }))).toEqual([10]);
    expect(starts(pool({ generation: 2, batch: 2, workers: old }))).toEqual([0, 1]);
  });

  test("keeps an old worker while another slot is empty: the floor is the wanted count", () => {
    const workers = [worker(0), worker(0, { generation: 2 })];
    const input = pool({ generation: 2, workers });
    expect(stops(input)).toEqual([]);
    expect(starts(input)).toEqual([1]);
  });

  test("does not wait for the successor of a worker that is still starting", () => {
    const workers = [worker(0, { phase: "starting" }), worker(1)];
    const input = pool({ generation: 2, workers });
    expect(stops(input)).toEqual([10]);
    expect(starts(input)).toEqual([0, 1]);
  });

  test("replaces a worker that is to be recycled, new before old, and says why", () => {
    const workers = [worker(0, { replace: recycle }), worker(1)];
    expect(planPool(pool({ workers })).actions).toEqual([
      { kind: "start", slot: 0, cause: { kind: "replace", pid: 100, because: "recycle" } },
    ]);
    const both = [...workers, worker(0, { id: 99 })];
    expect(planPool(pool({ workers: both })).actions).toEqual([{ kind: "stop", id: 10, cause: recycle }]);
  });

  test("holds back replacements that nobody asked for, where what they would start is broken", () => {
    const tired: StopCause = { kind: "max-requests", served: 500, limit: 500 };
    const workers = [worker(0, { replace: tired }), worker(1)];
    expect(starts(pool({ workers }))).toEqual([0]);
    expect(planPool(pool({ workers, hold: true })).actions).toEqual([]);
    expect(starts(pool({ workers: [worker(0, { replace: recycle }), worker(1)], hold: true }))).toEqual([0]);
    expect(starts(pool({ workers: [worker(1)], hold: true })), "a crash is made good all the same").toEqual([
      0,
    ]);
  });

  test("stops surplus workers, but never below the wanted count of ready ones", () => {
    const workers = [worker(0), worker(1), worker(2), worker(3, { phase: "starting" })];
    expect(stops(pool({ workers }))).toEqual([12, 13]);
    expect(stops(pool({ workers: [worker(0), worker(2)] }))).toEqual([]);
  });

  test("stops everything once when the pool stops", () => {
    const cause: StopCause = { kind: "supervisor-stop", fast: false };
    const workers = [worker(0), worker(1, { phase: "leaving" })];
    expect(planPool(pool({ stopping: cause, workers })).actions).toEqual([{ kind: "stop", id: 10, cause }]);
  });

  test("waits out the backoff and then makes one trial start", () => {
    const backoff: Backoff = { failures: 2, retryAt: 2_000, trial: true, crashes: [] };
    expect(planPool(pool({ backoff }))).toEqual({ actions: [], wakeAt: 2_000 });
    expect(starts(pool({ backoff, now: 2_000 }))).toEqual([0]);
    expect(starts(pool({ backoff, now: 2_001, workers: [worker(0, { phase: "starting" })] }))).toEqual([]);
  });

  test("tells the cause that left a slot empty", () => {
    const vacated = new Map([[1, { kind: "replace", pid: 7, because: "crashed" } as const]]);
    expect(planPool(pool({ workers: [worker(0)], vacated })).actions).toEqual([
      { kind: "start", slot: 1, cause: { kind: "replace", pid: 7, because: "crashed" } },
    ]);
  });
});

describe("judgeRollout()", () => {
  const rollout = { from: 1, to: 2, startedAt: 0 };

  test("is done only when each slot is ready in the new generation and no old worker takes work", () => {
    const mixed = pool({ generation: 2, workers: [worker(0, { generation: 2 }), worker(1)] });
    expect(judgeRollout(rollout, mixed, null)).toEqual({ kind: "running" });
    const done = [
      worker(0, { generation: 2 }),
      worker(1, { generation: 2 }),
      worker(1, { phase: "leaving" }),
    ];
    expect(judgeRollout(rollout, pool({ generation: 2, workers: done }), null)).toEqual({ kind: "ok" });
  });

  test("is rolled back by a failed start of the new generation, not of the old", () => {
    const input = pool({ generation: 2, workers: [worker(0), worker(1)] });
    expect(judgeRollout(rollout, input, { generation: 1, reason: "x" })).toEqual({ kind: "running" });
    expect(judgeRollout(rollout, input, { generation: 2, reason: "x" })).toEqual({
      kind: "rolled-back",
      reason: "x",
    });
  });

  test.each([
    [{ kind: "count", count: 3 } as const, 8, 3],
    [{ kind: "percent", percent: 25 } as const, 8, 2],
    [{ kind: "percent", percent: 25 } as const, 2, 1],
  ])("batchSize(%j, %i) is %i", (batch, wanted, size) => expect(batchSize(batch, wanted)).toBe(size));
});

/**
 * A simulated pool: `planPool` decides, the simulation performs, and chance decides when workers get ready, crash and
 * exit, and when the operator scales, reloads and recycles.
 */
class Simulation {
  wanted = 3;
  generation = 1;
  now = 0;
  backoff: Backoff = calm;
  workers: PlannedWorker[] = [];
  readonly policy: BackoffPolicy = { minMs: 100, maxMs: 30_000, degradedAfter: 5, windowMs: 60_000 };
  readonly vacated = new Map();
  private ids = 0;

  input(): PoolPlanInput {
    const { wanted, generation, workers, backoff, vacated, now } = this;
    return pool({ wanted, generation, workers, backoff, vacated, now, batch: 1 });
  }

  /** Plans until there is nothing to do; asserts what must hold of every plan. */
  turn(): void {
    for (let round = 0; ; round++) {
      expect(round, "a plan must come to rest").toBeLessThan(20);
      const { actions } = planPool(this.input());
      if (actions.length === 0) return;
      for (const action of actions) {
        if (action.kind === "start") this.start(action.slot);
        else this.stop(action.id);
      }
    }
  }

  private start(slot: number): void {
    const current = this.workers.filter(
      (w) =>
        w.slot === slot && w.phase !== "leaving" && w.generation === this.generation && w.replace === null,
    );
    expect(current, "a slot has one current worker").toEqual([]);
    expect(this.now).toBeGreaterThanOrEqual(this.backoff.retryAt);
    const id = ++this.ids;
    const born = {
      id,
      slot,
      generation: this.generation,
      pid: id,
      phase: "starting",
      replace: null,
    } as const;
    this.workers.push(born);
  }

  private stop(id: number): void {
    const leaving = this.workers.find((w) => w.id === id)!;
    if (leaving.phase === "ready") {
      expect(this.ready(), "a voluntary stop keeps the ready count at the floor").toBeGreaterThan(
        this.wanted,
      );
    }
    this.change(id, { phase: "leaving" });
  }

  ready(): number {
    return this.workers.filter((w) => w.phase === "ready").length;
  }

  change(id: number, to: Partial<PlannedWorker>): void {
    this.workers = this.workers.map((w) => (w.id === id ? { ...w, ...to } : w));
  }

  exit(id: number, random: number): void {
    const gone = this.workers.find((w) => w.id === id)!;
    this.workers = this.workers.filter((w) => w.id !== id);
    if (gone.phase === "leaving") return;
    this.backoff = afterCrash(this.backoff, this.policy, gone.phase === "ready" ? 5 : null, this.now, random);
  }

  pick(among: PlannedWorker["phase"], index: number): PlannedWorker | undefined {
    const some = this.workers.filter((w) => w.phase === among);
    return some[index % Math.max(1, some.length)];
  }
}

const chance = fc.record({
  what: fc.constantFrom(
    "ready",
    "ready",
    "crash",
    "crash-ready",
    "leave",
    "scale",
    "reload",
    "recycle",
    "wait",
  ),
  n: fc.nat(1_000),
});

test("under random events: one current worker a slot, the floor is kept, and calm converges", () => {
  fc.assert(
    fc.property(fc.array(chance, { maxLength: 120 }), (events) => {
      const sim = new Simulation();
      sim.turn();
      for (const { what, n } of events) {
        sim.now += n % 50;
        const ready = sim.pick("ready", n);
        const starting = sim.pick("starting", n);
        const leaving = sim.pick("leaving", n);
        if (what === "ready" && starting) {
          sim.change(starting.id, { phase: "ready" });
          sim.backoff = afterReady(sim.backoff);
        } else if (what === "crash" && starting) sim.exit(starting.id, n / 1_001);
        else if (what === "crash-ready" && ready) sim.exit(ready.id, n / 1_001);
        else if (what === "leave" && leaving) sim.exit(leaving.id, 0);
        else if (what === "scale") sim.wanted = 1 + (n % 5);
        else if (what === "reload") sim.generation += 1;
        else if (what === "recycle" && ready) sim.change(ready.id, { replace: recycle });
        else sim.now += n * 100;
        sim.turn();
      }
      // From here on nothing fails: the pool must settle.
      for (let round = 0; round < 60 && !isSettled(sim.input()); round++) {
        sim.now = Math.max(sim.now, sim.backoff.retryAt);
        sim.turn();
        for (const w of sim.workers.filter((one) => one.phase === "starting")) {
          sim.change(w.id, { phase: "ready" });
          sim.backoff = afterReady(sim.backoff);
        }
        sim.turn();
      }
      expect(isSettled(sim.input())).toBe(true);
    }),
    { numRuns: 500 },
  );
});
