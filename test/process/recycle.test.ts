/** Recycling by policy: new before old, with the evidence in the journal. */

import { type Gwpm, startGwpm } from "../support/gwpm.ts";
import { Ledger } from "../support/ledger.ts";
import { app, faultyWorker } from "../support/paths.ts";
import { addressOf, ask, socketSender } from "../support/pools.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";

const web = { name: "web", script: app("ledger.mjs"), listen: "unix:./web.sock", workers: 2 };

/** A started pool and the cause for which the first worker that leaves it was told to. */
async function startRecycling(sandbox: Sandbox, pool: object): Promise<Gwpm> {
  return startGwpm(sandbox, { config: { pools: [{ ...web, ...pool }] } });
}

describe("recycle.maxRequests", () => {
  test("replaces workers one at a time under load, and no request is lost", async ({ sandbox }) => {
    const handledFile = sandbox.write("handled", "");
    const pool = { env: { LEDGER_FILE: handledFile }, recycle: { maxRequests: 50 } };
    const gwpm = await startRecycling(sandbox, pool);
    const ledger = new Ledger({ send: socketSender(await addressOf(gwpm, "web")), handledFile, clients: 4 });
    const recycled = () => gwpm.events.select({ type: "worker-draining", cause: { kind: "max-requests" } });
    while (recycled().length < 5) await ledger.answers(20);
    expect(await ledger.stop()).toMatchObject({ lost: [], mixedUp: [], miscounted: [] });
    const drains = recycled();
    for (const { cause } of drains) {
      if (cause.kind !== "max-requests") throw new Error("unexpected cause");
      expect(cause.limit).toBeGreaterThanOrEqual(45);
      expect(cause.limit).toBeLessThanOrEqual(55);
    }
    expect(new Set(drains.map(({ cause }) => JSON.stringify(cause))).size, "the jitter").toBeGreaterThan(1);
    const ready = new Set<number>();
    const counts: number[] = [];
    const upFrom = gwpm.events.select({ type: "pool-ready" })[0]!.seq;
    for (const event of gwpm.events.all) {
      if (event.type === "worker-ready") ready.add(event.pid);
      if (event.type === "worker-draining") ready.delete(event.pid);
      if (event.seq > upFrom) counts.push(ready.size);
    }
    expect(Math.min(...counts), "ready workers").toBe(2);
    expect(await gwpm.pool("web")).toMatchObject({ restarts: { crashed: 0 } });
  });
});

describe("other limits", () => {
  test.for([
    ["maxLifetime", "1500ms", "max-lifetime"],
    ["maxIdle", "1s", "max-idle"],
    ["maxMemory", "20MB", "max-memory"],
  ] as const)("%s of %s ends in %s", async ([limit, value, kind], { sandbox }) => {
    const gwpm = await startRecycling(sandbox, { workers: 1, recycle: { [limit]: value } });
    const [first] = await gwpm.readyPids("web");
    const drain = await gwpm.events.waitFor({ type: "worker-draining", pid: first, cause: { kind } });
    const starts = gwpm.events.select({ type: "worker-ready" }).filter(({ seq }) => seq < drain.seq);
    expect(starts, "its successor was ready before").toHaveLength(2);
  });

  test("maxMemoryHard kills at once what leaks in the middle of a request", async ({ sandbox }) => {
    const pool = {
      script: faultyWorker("hang-in-handler.mjs"),
      workers: 1,
      recycle: { maxMemoryHard: "20MB" },
    };
    const gwpm = await startRecycling(sandbox, pool);
    const [first] = await gwpm.readyPids("web");
    const exit = await gwpm.events.waitFor({ type: "worker-exited", pid: first });
    expect(exit).toMatchObject({
      signal: "SIGKILL",
      cause: { kind: "killed", cause: { kind: "max-memory-hard" } },
    });
    await gwpm.events.waitFor({
      type: "worker-starting",
      cause: { kind: "replace", because: "max-memory-hard" },
    });
  });
});

test("after a reload that was rolled back, recycling waits until one succeeds", async ({ sandbox }) => {
  sandbox.write("app.mjs", "export default (req, res) => res.end('one');");
  const gwpm = await startRecycling(sandbox, {
    script: "./app.mjs",
    workers: 1,
    recycle: { maxRequests: 3, jitter: 0 },
  });
  gwpm.expectErrors(/rolled back/);
  const address = await addressOf(gwpm, "web");
  const [first] = await gwpm.readyPids("web");
  sandbox.write("app.mjs", "throw new Error('broken');");
  expect((await gwpm.run(["reload"])).code).toBe(6);
  const failed = gwpm.events.select({ type: "worker-exited", cause: { kind: "start-failed" } }).length;
  for (let i = 0; i < 5; i++) expect(await ask(address)).toEqual({ status: 200, body: "one" });
  expect(await gwpm.readyPids("web")).toEqual([first]);
  expect((await gwpm.pool("web")).reason).toMatch(
    /recycling waits for a reload that succeeds; the last one failed/,
  );
  expect(gwpm.events.select({ type: "worker-exited", cause: { kind: "start-failed" } })).toHaveLength(failed);
  sandbox.write("app.mjs", "export default (req, res) => res.end('two');");
  expect((await gwpm.run(["reload"])).code).toBe(0);
  expect(await ask(address)).toEqual({ status: 200, body: "two" });
});
