/** The supervisor is killed: its workers serve on, and the next supervisor takes everything over without losing a request. */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { Gwpm, runGwpm, startGwpm } from "../support/gwpm.ts";
import { Ledger } from "../support/ledger.ts";
import { app, faultyWorker } from "../support/paths.ts";
import { addressOf, ask, socketSender } from "../support/pools.ts";
import { isAlive } from "../support/processes.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

/** Starts again after the supervisor was killed. */
async function startAgain(sandbox: Sandbox, old: Gwpm): Promise<Gwpm> {
  const result = await runGwpm(sandbox, ["start", "-c", old.configFile]);
  expect(result, result.stderr).toMatchObject({ code: 0 });
  const next = await Gwpm.connect(sandbox, { configFile: old.configFile, logFile: old.logFile, env: {} });
  sandbox.defer(() => next.dispose());
  return next;
}

describe.each(["unix:./web.sock", "127.0.0.1:0"])("on %s", (listen) => {
  test("no request is lost when the supervisor is killed and started again", async ({ sandbox }) => {
    const handledFile = sandbox.write("handled", "");
    const env = { LEDGER_FILE: handledFile };
    const pool = { name: "web", script: app("ledger.mjs"), workers: 2, env };
    let gwpm = await startGwpm(sandbox, { config: { pools: [{ ...pool, listen }] } });
    const address = await addressOf(gwpm, "web");
    // Port 0 would be another port the next time; the address is to be the same.
    const config = JSON.parse(readFileSync(gwpm.configFile, "utf8"));
    sandbox.write("ecosystem.json", { ...config, pools: [{ ...pool, listen: address }] });
    const ledger = new Ledger({ send: socketSender(address), handledFile, clients: 4 });
    for (let round = 1; round <= 3; round++) {
      await ledger.answers(100);
      const orphans = await gwpm.readyPids("web");
      await gwpm.crash();
      expect((await gwpm.run(["status"])).code).toBe(3);
      await ledger.answers(100);
      expect(orphans.every(isAlive), "they serve on").toBe(true);
      gwpm = await startAgain(sandbox, gwpm);
      for (const pid of orphans) {
        await gwpm.events.waitFor({ type: "orphan-found", pid });
        await gwpm.events.waitFor({ type: "orphan-gone", pid });
      }
      expect(await gwpm.pool("web")).toMatchObject({
        generation: round + 1,
        workers: { ready: 2, total: 2 },
      });
      expect(gwpm.events.select({ type: "listener-opened", pool: "web" }).at(-1)).toMatchObject({
        how: "taken-over",
      });
    }
    await ledger.answers(100);
    expect(await ledger.stop()).toMatchObject({ lost: [], mixedUp: [], miscounted: [] });
  });
});

test("workers that print go on serving, and their lines are there for the next supervisor", async ({
  sandbox,
}) => {
  const script = faultyWorker("prints-a-line-per-request.mjs");
  const pools = [{ name: "web", script, listen: "unix:./web.sock", workers: 1 }];
  const gwpm = await startGwpm(sandbox, { config: { pools } });
  const address = await addressOf(gwpm, "web");
  const [pid] = await gwpm.readyPids("web");
  await gwpm.crash();
  // Far more than a pipe holds: nobody reads it, and nobody may be held up by it.
  for (let i = 0; i < 2_000; i++) await ask(address, `/${"x".repeat(100)}${i}`);
  expect(isAlive(pid!)).toBe(true);
  const next = await startAgain(sandbox, gwpm);
  await next.events.waitFor({ type: "orphan-gone", pid });
  expect((await next.run(["logs", "-n", "5000"])).stdout).toContain("xxx0");
});

test("a Unix socket whose file was removed meanwhile is made anew", async ({ sandbox }) => {
  const pools = [
    { name: "web", script: faultyWorker("hang-in-handler.mjs"), listen: "unix:./web.sock", workers: 1 },
  ];
  const gwpm = await startGwpm(sandbox, { config: { pools } });
  await gwpm.crash();
  rmSync(sandbox.path("web.sock"));
  const next = await startAgain(sandbox, gwpm);
  expect(await ask(await addressOf(next, "web"))).toMatchObject({ status: 200 });
});

test("orphans of a pool that is gone, or speaks another protocol now, take nothing new", async ({
  sandbox,
}) => {
  const script = faultyWorker("hang-in-handler.mjs");
  const pool = { script, workers: 2 };
  const pools = [
    { ...pool, name: "same", listen: "127.0.0.1:0" },
    { ...pool, name: "gone", listen: "unix:./gone.sock" },
  ];
  const gwpm = await startGwpm(sandbox, { config: { pools } });
  const address = await addressOf(gwpm, "same");
  await gwpm.crash();
  const changed = { ...pool, name: "other", protocol: "scgi", listen: address };
  sandbox.write("ecosystem.json", {
    log: { file: gwpm.logFile, level: "debug", format: "json" },
    pools: [changed],
  });
  const next = await startAgain(sandbox, gwpm);
  for (let i = 0; i < 8; i++)
    expect(await ask(address, "/", { protocol: "scgi" })).toMatchObject({ status: 200 });
  for (const { pid } of next.events.select({ type: "orphan-found" })) {
    await next.events.waitFor({ type: "orphan-gone", pid });
  }
  expect(existsSync(sandbox.path("gone.sock"))).toBe(false);
});

test("a start that fails leaves the workers of the killed supervisor alone", async ({ sandbox }) => {
  sandbox.write("app.mjs", "export default (req, res) => res.end('one');");
  const pools = [
    { name: "web", script: "./app.mjs", listen: "unix:./web.sock", workers: 2 },
    { name: "tcp", script: faultyWorker("hang-in-handler.mjs"), listen: "127.0.0.1:0", workers: 1 },
  ];
  const gwpm = await startGwpm(sandbox, { config: { pools } });
  const addresses = [await addressOf(gwpm, "web"), await addressOf(gwpm, "tcp")];
  const orphans = [...(await gwpm.readyPids("web")), ...(await gwpm.readyPids("tcp"))];
  await gwpm.crash();
  sandbox.write("app.mjs", "throw new Error('broken');");
  const config = { pools: [pools[0], { ...pools[1], listen: addresses[1] }] };
  const file = sandbox.write("ecosystem.json", { log: { file: gwpm.logFile, format: "json" }, ...config });
  expect((await runGwpm(sandbox, ["start", "-c", file])).code).toBe(1);
  for (const address of addresses) expect(await ask(address)).toMatchObject({ status: 200 });
  expect(orphans.every(isAlive)).toBe(true);
  sandbox.write("app.mjs", "export default (req, res) => res.end('two');");
  const next = await startAgain(sandbox, gwpm);
  for (const pid of orphans) await next.events.waitFor({ type: "orphan-gone", pid });
  expect(await ask(addresses[0]!)).toEqual({ status: 200, body: "two" });
});

test("a pid that now belongs to somebody else is not taken for a worker", async ({ sandbox }) => {
  const pools = [
    { name: "web", script: faultyWorker("hang-in-handler.mjs"), listen: "unix:./web.sock", workers: 1 },
  ];
  const gwpm = await startGwpm(sandbox, { config: { pools } });
  const [worker] = await gwpm.readyPids("web");
  await gwpm.crash();
  process.kill(worker!, "SIGKILL");
  await waitFor(() => !isAlive(worker!), { what: "the orphan to be gone" });
  const stranger = await sandbox.start([
    process.execPath,
    "-e",
    "console.log('up'); setInterval(() => {}, 1000)",
  ]);
  await stranger.stdout.waitFor(/up/, { what: "the stranger to be up" });
  const state = readFileSync(sandbox.path("run", "state.json"), "utf8");
  sandbox.write("run/state.json", state.replaceAll(`"pid":${worker}`, `"pid":${stranger.pid}`));
  const next = await startAgain(sandbox, gwpm);
  expect(next.events.select({ type: "orphan-found" })).toEqual([]);
  expect(stranger.running).toBe(true);
});
