import { expect, test } from "vitest";
import { describeEvent, describeExit, describeStart, describeStop } from "../../../src/core/describe.ts";
import type { ExitCause, GwpmEvent, StartCause, StopCause } from "../../../src/core/events.ts";

const at = 1_700_000_000_000;
const pool = { at, pool: "web" };
const worker = { ...pool, slot: 3, pid: 4242, generation: 2 };
const W = 'Worker 3 of pool "web" (pid 4242, generation 2)';

const exited = (
  cause: ExitCause,
  rest: Partial<Extract<GwpmEvent, { type: "worker-exited" }>> = {},
): GwpmEvent => ({
  ...worker,
  type: "worker-exited",
  code: 1,
  signal: null,
  cause,
  uptimeMs: 1200,
  requests: null,
  lost: [],
  output: [],
  ...rest,
});

const EVENTS: readonly [GwpmEvent, string][] = [
  [
    { at, type: "supervisor-started", pid: 7, version: "0.1.0", configFile: "/srv/e.json" },
    "Supervisor 0.1.0 started (pid 7) with /srv/e.json",
  ],
  [{ at, type: "supervisor-stopping", by: "SIGTERM", fast: true }, "Supervisor stops fast, asked by SIGTERM"],
  [{ at, type: "supervisor-stopped", pid: 7 }, "Supervisor stopped (pid 7)"],
  [
    { at, type: "config-rejected", errors: ["a", "b"] },
    "The configuration was rejected and the running one goes on: a; b",
  ],
  [{ at, type: "warning", text: "low", pool: "web" }, 'Warning for pool "web": low'],
  [{ at, type: "warning", text: "low" }, "Warning: low"],
  [
    { ...pool, type: "pool-started", listen: ["unix:/a", "[::1]:9"], wanted: 1 },
    'Pool "web" listens on unix:/a, [::1]:9 and wants 1 worker',
  ],
  [
    { ...pool, type: "pool-ready", generation: 2, tookMs: 210 },
    'Pool "web" is ready in generation 2 after 210 ms',
  ],
  [
    { ...pool, type: "pool-degraded", reason: "5 crashes", nextTryAt: at + 4000 },
    'Pool "web" is degraded: 5 crashes; next try in 4.0 s',
  ],
  [
    { ...pool, type: "pool-degraded", reason: "5 crashes", nextTryAt: null },
    'Pool "web" is degraded: 5 crashes; no next try is set',
  ],
  [{ ...pool, type: "pool-recovered" }, 'Pool "web" has recovered'],
  [
    { ...pool, type: "pool-scaled", from: 2, to: 4, by: "the operator" },
    'Pool "web" goes from 2 to 4 workers, asked by the operator',
  ],
  [{ ...pool, type: "pool-stopped" }, 'Pool "web" stopped'],
  [{ ...pool, type: "listener-opened", address: "unix:/a", how: "bound" }, 'Pool "web" opened unix:/a'],
  [
    { ...pool, type: "listener-opened", address: "unix:/a", how: "taken-over" },
    'Pool "web" took over unix:/a from an earlier supervisor',
  ],
  [{ ...pool, type: "listener-closed", address: "unix:/a" }, 'Pool "web" closed unix:/a'],
  [
    { ...pool, type: "reload-started", generation: 3, by: "SIGHUP" },
    'Pool "web" rolls to generation 3, asked by SIGHUP',
  ],
  [
    { ...pool, type: "reload-finished", generation: 3, result: "ok", reason: null, tookMs: 900 },
    'Pool "web" rolled to generation 3 in 900 ms',
  ],
  [
    {
      ...pool,
      type: "reload-finished",
      generation: 3,
      result: "rolled-back",
      reason: "it crashed",
      tookMs: 900,
    },
    'Pool "web" rolled back from generation 3 after 900 ms: it crashed',
  ],
  [{ ...worker, type: "worker-starting", cause: { kind: "pool-start" } }, `${W} starts: the pool starts`],
  [{ ...worker, type: "worker-ready", tookMs: 210 }, `${W} is ready after 210 ms`],
  [
    { ...worker, type: "worker-draining", cause: { kind: "reload", toGeneration: 3 }, deadlineMs: 30_000 },
    `${W} finishes its requests within 30 s: generation 3 has taken over`,
  ],
  [
    { ...worker, type: "worker-killing", cause: { kind: "supervisor-stop", fast: false }, afterMs: 30_000 },
    `${W} is killed, having not finished after 30 s: the supervisor stops`,
  ],
  [exited({ kind: "start-failed" }), `${W} exited with code 1 before it was ready, after 1.2 s`],
  [
    exited(
      { kind: "crashed" },
      {
        code: null,
        signal: "SIGSEGV",
        requests: 1000,
        lost: [{ method: "POST", uri: "/pay", elapsedMs: 40 }],
        output: ["one", "two"],
      },
    ),
    `${W} crashed: ended by SIGSEGV, after 1.2 s and 1,000 requests, while serving POST /pay (for 40 ms); it said: two`,
  ],
  [
    { ...pool, type: "worker-backoff", slot: 3, attempt: 2, delayMs: 400 },
    'Worker 3 of pool "web" is tried again in 400 ms (attempt 2)',
  ],
  [
    { ...pool, type: "orphan-found", pid: 9, slot: 3, formerSupervisor: 7 },
    'Worker 3 of pool "web" (pid 9) was left by supervisor 7 and is known again',
  ],
  [{ ...pool, type: "orphan-gone", pid: 9, slot: 3 }, 'Worker 3 of pool "web" (pid 9), left behind, is gone'],
];

test.each(EVENTS.map(([event, sentence]) => [sentence, event] as const))("%s", (sentence, event) => {
  expect(describeEvent(event)).toBe(sentence);
});

test("an event of a later version is told by its fields", () => {
  const event = { type: "pool-moved", at, seq: 4, pool: "web", to: "elsewhere" } as unknown as GwpmEvent;
  expect(describeEvent(event)).toBe('pool-moved {"pool":"web","to":"elsewhere"}');
  expect(describeEvent({ type: "constructor", at } as unknown as GwpmEvent)).toBe("constructor {}");
});

test.each<[StartCause, string]>([
  [{ kind: "pool-start" }, "the pool starts"],
  [{ kind: "scale-up", wanted: 4 }, "the pool wants 4 workers"],
  [{ kind: "reload", fromGeneration: 1 }, "a reload replaces generation 1"],
  [{ kind: "replace", pid: 9, because: "crashed" }, "it replaces pid 9, which crashed"],
  [{ kind: "replace", pid: 9, because: "recycle" }, "it replaces pid 9, which the operator recycled"],
  [{ kind: "retry", attempt: 2 }, "attempt 2 after a failure"],
])("start %j", (cause, sentence) => {
  expect(describeStart(cause)).toBe(sentence);
});

test.each<[StopCause, string]>([
  [{ kind: "reload", toGeneration: 2 }, "generation 2 has taken over"],
  [{ kind: "scale-down", wanted: 1 }, "the pool wants 1 worker"],
  [{ kind: "recycle", by: "operator" }, "the operator recycled it"],
  [{ kind: "asked", reason: "leak" }, "it asked to be replaced (leak)"],
  [{ kind: "pool-removed" }, "the pool was removed from the configuration"],
  [{ kind: "rollback", generation: 1 }, "the pool went back to generation 1"],
  [{ kind: "start-timeout", limitMs: 30_000 }, "it was not ready within 30 s"],
  [{ kind: "orphaned", formerSupervisor: 7 }, "its supervisor 7 is gone"],
  [{ kind: "supervisor-stop", fast: true }, "the supervisor stops fast"],
])("stop %j", (cause, sentence) => {
  expect(describeStop(cause)).toBe(sentence);
});

test.each<[ExitCause, string]>([
  [
    { kind: "stopped", cause: { kind: "pool-removed" } },
    "ended as asked (exited with code 0): the pool was removed from the configuration",
  ],
  [
    { kind: "killed", cause: { kind: "recycle", by: "operator" }, afterMs: 30_000 },
    "was killed after 30 s: the operator recycled it",
  ],
  [{ kind: "spawn-failed", error: "ENOENT" }, "could not be started: ENOENT"],
])("exit %j", (cause, sentence) => {
  expect(describeExit(cause, 0, null)).toBe(sentence);
});
