/** Workers that die: replaced, told of, and never in a hot loop. */

import { startGwpm } from "../support/gwpm.ts";
import { app, faultyWorker } from "../support/paths.ts";
import { addressOf, ask } from "../support/pools.ts";
import { cpuTicks, isAlive } from "../support/processes.ts";
import { describe, expect, test } from "../support/test.ts";

const web = { name: "web", script: app("ledger.mjs"), listen: "unix:./web.sock", workers: 2 };

/** What the supervisor may add to the time that a worker takes to start. How long that is depends on Node and on what else the machine does. */
const ALLOWANCE_MS = 50;

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

describe("a worker that is killed", () => {
  test("is replaced within the worker's own start time + 50 ms, the others unaffected, the cause told", async ({
    sandbox,
  }) => {
    const hello = sandbox.write("hello.mjs", "export default (req, res) => res.end(String(process.pid));");
    const restart = { degradedAfter: 1_000 };
    const gwpm = await startGwpm(sandbox, { config: { pools: [{ ...web, script: hello, restart }] } });
    const [victim, other] = await gwpm.readyPids("web");
    const added: number[] = [];
    for (let pid = victim!; added.length < 9; ) {
      const mark = gwpm.events.mark;
      const killedAt = Date.now();
      process.kill(pid, "SIGKILL");
      const ready = await gwpm.events.waitFor({ type: "worker-ready", slot: 0 }, { after: mark });
      added.push(ready.at - killedAt - ready.tookMs);
      pid = ready.pid;
    }
    expect(gwpm.events.select({ type: "worker-exited", pid: victim })[0]).toMatchObject({
      cause: { kind: "crashed" },
      signal: "SIGKILL",
      generation: 1,
    });
    expect(
      gwpm.events.select({ type: "worker-starting", cause: { kind: "replace", pid: victim } }),
    ).toHaveLength(1);
    expect((await gwpm.readyPids("web"))[1], "the other worker is the same").toBe(other);
    const events = await gwpm.run(["events"]);
    expect(events.stdout).toMatch(
      new RegExp(`Worker 0 of pool "web" \\(pid ${victim}.*crashed: ended by SIGKILL`),
    );
    expect(median(added), `ms beside the start: ${added.join(", ")}`).toBeLessThan(ALLOWANCE_MS);
  });

  test("takes what it had started with it", async ({ sandbox }) => {
    const pools = [{ ...web, script: faultyWorker("grandchild.mjs"), workers: 1 }];
    const gwpm = await startGwpm(sandbox, { config: { pools } });
    const address = await addressOf(gwpm, "web");
    const grandchild = Number((await ask(address)).body);
    const mark = gwpm.events.mark;
    process.kill((await gwpm.readyPids("web"))[0]!, "SIGKILL");
    await gwpm.events.waitFor({ type: "worker-ready" }, { after: mark });
    expect(isAlive(grandchild)).toBe(false);
  });
});

describe("a worker that exits by itself", () => {
  test("with code 0 after having served is replaced too", async ({ sandbox }) => {
    const pools = [{ ...web, script: faultyWorker("exits-0-after-ready.mjs"), workers: 1 }];
    const gwpm = await startGwpm(sandbox, { config: { pools } });
    expect(await ask(await addressOf(gwpm, "web"))).toMatchObject({ status: 200 });
    const exit = await gwpm.events.waitFor({ type: "worker-exited" });
    expect(exit).toMatchObject({ code: 0, cause: { kind: "crashed" } });
    await gwpm.events.waitFor({ type: "worker-starting", cause: { kind: "replace" } });
  });
});

describe("a worker that crashes on boot", () => {
  test("is tried less and less often; the pool says that it is degraded; a neighbour serves on", async ({
    sandbox,
  }) => {
    const broken = sandbox.write("app.mjs", "export default (req, res) => res.end('ok');");
    const pools = [web, { ...web, name: "bad", script: broken, listen: "unix:./bad.sock", workers: 4 }];
    const gwpm = await startGwpm(sandbox, { config: { pools }, expectErrors: [/is degraded/] });
    sandbox.write("app.mjs", "console.error('no database'); process.exit(3);");
    const mark = gwpm.events.mark;
    for (const pid of await gwpm.readyPids("bad")) process.kill(pid, "SIGKILL");
    const ticksBefore = cpuTicks(gwpm.pid)!;
    await gwpm.events.waitFor({ type: "pool-degraded", pool: "bad" }, { after: mark });
    await gwpm.events.waitFor({ type: "worker-backoff", pool: "bad", attempt: 7 }, { after: mark });
    const waits = gwpm.events.select({ type: "worker-backoff", pool: "bad" }).filter(({ seq }) => seq > mark);
    const last = waits.at(-1)!;
    expect(last.delayMs).toBeGreaterThan(waits[0]!.delayMs * 4);
    const starts = gwpm.events
      .select({ type: "worker-starting", pool: "bad" })
      .filter(({ seq }) => seq > mark);
    expect(starts.length).toBeLessThanOrEqual(20);
    expect(cpuTicks(gwpm.pid)! - ticksBefore, "ticks of 10 ms spent by the supervisor").toBeLessThan(150);
    const bad = await gwpm.pool("bad");
    expect(bad).toMatchObject({ state: "degraded", workers: { ready: 0, wanted: 4 } });
    expect(bad.reason).toContain("exited with code 3 before it was ready");
    expect(Date.parse(bad.nextTryAt!)).toBeGreaterThan(Date.now() - 1_000);
    expect(gwpm.events.select({ type: "worker-exited", pool: "bad" }).at(-1)!.output).toContain(
      "no database",
    );
    expect((await gwpm.run(["ping", "bad"])).code).toBe(1);
    expect((await gwpm.run(["ping", "web"])).code).toBe(0);
    // Mended, it comes back by itself; a reload does not wait for the next try.
    sandbox.write("app.mjs", "export default (req, res) => res.end('ok');");
    expect((await gwpm.run(["reload", "bad"])).code).toBe(0);
    expect(await ask(await addressOf(gwpm, "bad"))).toEqual({ status: 200, body: "ok" });
  });
});
