/** A new supervisor takes over from a running one: nothing is lost, and one that cannot take over changes nothing. */

import {
  appendFileSync,
  constants,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Gwpm, runGwpm, spawnGwpm, startGwpm } from "../support/gwpm.ts";
import { Ledger } from "../support/ledger.ts";
import { app, faultyWorker, ROOT } from "../support/paths.ts";
import { addressOf, ask, socketSender } from "../support/pools.ts";
import { childrenOf, isAlive, processesOf } from "../support/processes.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

const hanging = faultyWorker("hang-in-handler.mjs");
const web = { name: "web", script: hanging, listen: "unix:./web.sock", workers: 2 };

/** The supervisor that has taken over from `old`. */
async function successorOf(sandbox: Sandbox, old: Gwpm): Promise<Gwpm> {
  const { configFile, logFile } = old;
  const next = await Gwpm.connect(sandbox, { configFile, logFile, env: {} });
  next.expectErrors(/upgrade failed/);
  sandbox.defer(() => next.dispose());
  return next;
}

async function upgrade(sandbox: Sandbox, old: Gwpm): Promise<Gwpm> {
  const result = await old.run(["upgrade"], { deadlineMs: 60_000 });
  expect(result, result.stderr).toMatchObject({ code: 0 });
  const next = await successorOf(sandbox, old);
  expect(next.pid).not.toBe(old.pid);
  return next;
}

/** Waits until one old worker, which has something to do, is all that the old supervisor still sees out. */
function lastOfTheOld(next: Gwpm) {
  return waitFor(
    async () => {
      const { processes } = await next.pool("web");
      const draining = processes.filter(({ state }) => state === "draining");
      return draining.length === 1 && draining[0];
    },
    { what: "one old worker to be left" },
  );
}

function openFds(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** A copy of the built program, to be broken. @returns the path of its command */
function copyOfGwpm(sandbox: Sandbox): string {
  cpSync(join(ROOT, "dist"), sandbox.path("next", "dist"), { recursive: true });
  cpSync(join(ROOT, "package.json"), sandbox.path("next", "package.json"));
  symlinkSync(join(ROOT, "node_modules"), sandbox.path("next", "node_modules"));
  return sandbox.path("next", "dist");
}

/** Asks for an upgrade to another program, as that program's own command would. */
function upgradeTo(sandbox: Sandbox, gwpm: Gwpm, dist: string) {
  return sandbox
    .start([process.execPath, join(dist, "bin", "gwpm.js"), "upgrade", "-c", gwpm.configFile])
    .then(async (child) => ({ ...(await child.wait(60_000)), stderr: child.stderr.text }));
}

describe.each(["unix:./web.sock", "127.0.0.1:0"])("on %s", (listen) => {
  test("ten upgrades under load lose nothing and leave nothing", { timeout: 180_000 }, async ({
    sandbox,
  }) => {
    const handledFile = sandbox.write("handled", "");
    const pool = { name: "web", script: app("ledger.mjs"), workers: 2, env: { LEDGER_FILE: handledFile } };
    const second = { ...web, name: "second", listen: "unix:./second.sock", workers: 1 };
    let gwpm = await startGwpm(sandbox, { config: { pools: [{ ...pool, listen }, second] } });
    const address = await addressOf(gwpm, "web");
    const ledger = new Ledger({ send: socketSender(address), handledFile, clients: 4 });
    const fds: { supervisor: number; worker: number }[] = [];
    for (let round = 1; round <= 10; round++) {
      await ledger.answers(50);
      const old = gwpm;
      gwpm = await upgrade(sandbox, old);
      await old.gone();
      expect(await addressOf(gwpm, "web")).toBe(address);
      expect(await gwpm.pool("web")).toMatchObject({ generation: round + 1, workers: { ready: 2 } });
      const [worker] = await gwpm.readyPids("web");
      expect(childrenOf(gwpm.pid)).toHaveLength(3);
      fds.push({ supervisor: openFds(gwpm.pid), worker: openFds(worker!) });
    }
    await ledger.answers(50);
    const report = await ledger.stop();
    expect(report).toMatchObject({ lost: [], mixedUp: [], miscounted: [] });
    // A connection of the load, or of the test's own, may be open at any time.
    for (const { supervisor, worker } of fds) {
      expect(supervisor).toBeLessThanOrEqual(fds[0]!.supervisor + 4);
      expect(worker).toBeLessThanOrEqual(fds[0]!.worker + 6);
    }
    await waitFor(async () => (await gwpm.pool("web")).requests.total === report.sent, {
      what: "every request to be counted",
    });
    await gwpm.stop();
    expect(processesOf(sandbox.dir)).toEqual([]);
    expect(readdirSync(sandbox.path("run")).sort()).toEqual(["gwpm.log", "journal.ndjson", "lock"]);
    expect(existsSync(sandbox.path("web.sock"))).toBe(false);
  });
});

test("the old workers finish, are seen to, and their lines and ends are told by the new supervisor", async ({
  sandbox,
}) => {
  const script = sandbox.write(
    "talks.mjs",
    `export default (request, response) => {
       if (request.url !== "/talk") return response.end("hello");
       setInterval(() => console.log("generation " + process.env.GWPM_GENERATION + " talks"), 20);
     };`,
  );
  const old = await startGwpm(sandbox, { config: { pools: [{ ...web, script, http: "127.0.0.1:0" }] } });
  const address = await addressOf(old, "web");
  const { http } = await old.pool("web");
  const before = await old.readyPids("web");
  const endless = ask(address, "/talk").then(
    () => "answered",
    () => "cut off",
  );
  await waitFor(async () => (await old.pool("web")).requests.active === 1, {
    what: "the request to be active",
  });
  const next = await upgrade(sandbox, old);
  expect(old.running, "it sees its workers out").toBe(true);
  // One of the old is still active; the other goes, and the new supervisor tells so.
  const left = await lastOfTheOld(next);
  expect(before).toContain(left.pid);
  expect(left.generation).toBe(1);
  expect((await next.pool("web")).workers).toMatchObject({ ready: 2, draining: 1, total: 3 });
  const idle = before.find((pid) => pid !== left.pid)!;
  await next.events.waitFor({ type: "worker-exited", pid: idle, code: 0 });
  expect((await next.pool("web")).http).toBe(http);
  expect((await fetch(`${http}/`)).status).toBe(200);
  const logs = await spawnGwpm(sandbox, ["logs", "-f", "-c", old.configFile]);
  await logs.stdout.waitFor(/generation 1 talks/, { what: "a line of an old worker" });
  await next.events.waitFor({ type: "supervisor-upgraded", pid: next.pid, formerPid: old.pid });
  const seqs = next.events.all.map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, i) => seqs[0]! + i));
  expect(readFileSync(sandbox.path("run", "gwpm.pid"), "utf8")).toBe(`${next.pid}\n`);
  await next.stop(["--fast"]);
  expect(await endless).toBe("cut off");
  await old.gone();
});

test("SIGUSR2 is the same, and a scaled pool stays scaled", async ({ sandbox }) => {
  const old = await startGwpm(sandbox, { config: { pools: [web] } });
  expect((await old.run(["scale", "web", "3"])).code).toBe(0);
  old.signal("SIGUSR2");
  await old.gone();
  const next = await successorOf(sandbox, old);
  await next.events.waitFor({ type: "supervisor-upgrading", by: "SIGUSR2" });
  const { workers } = await waitFor(
    async () => (await next.pool("web")).workers.total === 3 && next.pool("web"),
    {
      what: "the last old worker to go out of the status",
    },
  );
  expect(workers).toMatchObject({ wanted: 3, ready: 3, total: 3 });
  const reload = await next.run(["reload"]);
  expect(reload, reload.stderr).toMatchObject({ code: 0 });
  expect(await next.pool("web")).toMatchObject({ generation: 3 });
});

test("the new supervisor reads the configuration anew: pools come and go, the pid file stays", async ({
  sandbox,
}) => {
  const gone = { ...web, name: "gone", listen: "unix:./gone.sock", workers: 1 };
  const old = await startGwpm(sandbox, { config: { pools: [web, gone] } });
  const config = JSON.parse(readFileSync(old.configFile, "utf8"));
  const come = { ...web, name: "come", listen: "unix:./come.sock", workers: 1 };
  sandbox.write("ecosystem.json", { ...config, pools: [come, web], pidFile: "./other.pid" });
  const next = await upgrade(sandbox, old);
  await old.gone();
  expect((await next.status()).pools.map(({ name }) => name)).toEqual(["come", "web"]);
  expect(existsSync(sandbox.path("gone.sock"))).toBe(false);
  for (const pool of ["come", "web"])
    expect(await ask(await addressOf(next, pool))).toMatchObject({ status: 200 });
  expect(readFileSync(sandbox.path("run", "gwpm.pid"), "utf8")).toBe(`${next.pid}\n`);
  expect(existsSync(sandbox.path("other.pid"))).toBe(false);
});

describe("a new version that cannot take over", () => {
  const cases: [string, (sandbox: Sandbox, dist: string) => void, RegExp][] = [
    [
      "does not even parse",
      (_, dist) => appendFileSync(join(dist, "src", "supervisor", "main.js"), "\nthis is no JavaScript\n"),
      /SyntaxError/,
    ],
    [
      "throws at its start",
      (_, dist) =>
        writeFileSync(
          join(dist, "src", "supervisor", "daemon.js"),
          "export const runDaemon = () => { throw new Error('no such luck'); };",
        ),
      /no such luck/,
    ],
    [
      "finds a bad configuration",
      (sandbox) => sandbox.write("ecosystem.json", '{ "pools": [{ "name": "web", "scrpt": "x" }] }'),
      /scrpt/,
    ],
    [
      "has workers that do not start",
      (sandbox) => sandbox.write("served.mjs", readFileSync(faultyWorker("crash-on-boot.mjs"), "utf8")),
      /cannot reach the database at db\.test:5432/,
    ],
    [
      "dies as it takes over, the control socket and the pid file already in its hands",
      (_, dist) => {
        const file = join(dist, "src", "supervisor", "succession.js");
        const text = readFileSync(file, "utf8");
        const fatal = text.replace(
          'predecessor.tell({ kind: "taken" })',
          'process.kill(process.pid, "SIGKILL")',
        );
        expect(fatal).not.toBe(text);
        writeFileSync(file, fatal);
      },
      /was ended by SIGKILL before it had taken over/,
    ],
  ];
  test.each(cases)(
    "because it %s: exit 1, nothing lost, the old one goes on",
    async (_what, spoil, words) => {
      const { Sandbox } = await import("../support/sandbox.ts");
      const sandbox = new Sandbox();
      let failed = true;
      try {
        const dist = copyOfGwpm(sandbox);
        const handledFile = sandbox.write("handled", "");
        const script = sandbox.write("served.mjs", readFileSync(app("ledger.mjs"), "utf8"));
        const pool = { ...web, script, env: { LEDGER_FILE: handledFile } };
        const gwpm = await startGwpm(sandbox, {
          config: { pools: [pool] },
          expectErrors: [/upgrade failed/],
        });
        const workers = await gwpm.readyPids("web");
        const ledger = new Ledger({
          send: socketSender(await addressOf(gwpm, "web")),
          handledFile,
          clients: 4,
        });
        await ledger.answers(50);
        spoil(sandbox, dist);
        const { code, stderr } = await upgradeTo(sandbox, gwpm, dist);
        expect(code, stderr).toBe(1);
        expect(stderr).toMatch(words);
        expect(stderr).toContain(`(pid ${gwpm.pid}) goes on`);
        await ledger.answers(50);
        expect(await gwpm.readyPids("web")).toEqual(workers);
        expect((await gwpm.status()).supervisor.pid).toBe(gwpm.pid);
        expect(readFileSync(sandbox.path("run", "gwpm.pid"), "utf8")).toBe(`${gwpm.pid}\n`);
        await waitFor(async () => (await gwpm.pool("web")).workers.total === 2, {
          what: "its workers to be gone",
        });
        await waitFor(() => processesOf(sandbox.dir).length === 3, { what: "nothing of it to be left" });
        expect(await ledger.stop()).toMatchObject({ lost: [], mixedUp: [], miscounted: [] });
        expect(gwpm.events.select({ type: "supervisor-upgrade-failed" })).toHaveLength(1);
        expect(existsSync(sandbox.path("run", "state.next.json"))).toBe(false);
        failed = false;
      } finally {
        await sandbox.close({ failed });
      }
    },
  );
});

describe("killed in the middle", () => {
  /** A pool whose second generation gets ready only when told, so that the upgrade stands still. */
  async function standingUpgrade(sandbox: Sandbox) {
    const script = sandbox.write(
      "gated.mjs",
      `import { existsSync, watch } from "node:fs";
       const go = () => existsSync(${JSON.stringify(sandbox.path("go"))});
       while (!go()) await new Promise((resolve) => setTimeout(resolve, 10));
       export default (request, response) => response.end(process.env.GWPM_GENERATION);`,
    );
    sandbox.write("go", "");
    const pools = [{ ...web, script }];
    const gwpm = await startGwpm(sandbox, { config: { pools }, expectErrors: [/upgrade failed/] });
    const { rmSync } = await import("node:fs");
    rmSync(sandbox.path("go"));
    const workers = await gwpm.readyPids("web");
    const command = await spawnGwpm(sandbox, ["upgrade", "-c", gwpm.configFile]);
    const candidate = await waitFor(() => childrenOf(gwpm.pid).find((pid) => !workers.includes(pid)), {
      what: "the new supervisor",
    });
    const noted = () => JSON.parse(readFileSync(sandbox.path("run", "state.next.json"), "utf8")).pools[0];
    await waitFor(() => noted().workers.length === 2, { what: "its workers to be noted" });
    return { gwpm, workers, command, candidate, go: () => sandbox.write("go", "") };
  }

  test("the new one: the old one goes on and ends its workers", async ({ sandbox }) => {
    const { gwpm, workers, command, candidate, go } = await standingUpgrade(sandbox);
    const orphans = childrenOf(candidate);
    process.kill(candidate, "SIGKILL");
    expect((await command.wait()).code).toBe(1);
    expect(command.stderr.text).toContain("was ended by SIGKILL before it had taken over");
    await waitFor(() => !orphans.some(isAlive), { what: "the new workers to be gone" });
    expect(await gwpm.readyPids("web")).toEqual(workers);
    go();
    const next = await upgrade(sandbox, gwpm);
    expect(await ask(await addressOf(next, "web"))).toMatchObject({ status: 200 });
    await gwpm.gone();
  });

  test("the old one: the new one takes over all the same", async ({ sandbox }) => {
    const { gwpm, workers, command, candidate, go } = await standingUpgrade(sandbox);
    await gwpm.crash();
    expect((await command.wait()).code).not.toBe(0);
    expect(workers.every(isAlive), "they serve on").toBe(true);
    expect(await ask(`unix:${sandbox.path("web.sock")}`)).toMatchObject({ body: "1" });
    go();
    await waitFor(() => readFileSync(sandbox.path("run", "gwpm.pid"), "utf8") === `${candidate}\n`, {
      what: "the new supervisor to be in charge",
    });
    const next = await successorOf(sandbox, gwpm);
    expect(next.pid).toBe(candidate);
    for (const pid of workers) await next.events.waitFor({ type: "orphan-gone", pid });
    expect((await next.pool("web")).workers).toMatchObject({ ready: 2, total: 2 });
  });

  test("both: the next start finds the workers of both", async ({ sandbox }) => {
    const { gwpm, workers, command, candidate, go } = await standingUpgrade(sandbox);
    const orphans = [...workers, ...childrenOf(candidate)];
    process.kill(candidate, "SIGSTOP");
    await gwpm.crash();
    process.kill(candidate, "SIGKILL");
    await command.wait();
    go();
    const result = await runGwpm(sandbox, ["start", "-c", gwpm.configFile]);
    expect(result, result.stderr).toMatchObject({ code: 0 });
    const next = await successorOf(sandbox, gwpm);
    for (const pid of orphans) await next.events.waitFor({ type: "orphan-gone", pid });
    expect((await next.pool("web")).workers).toMatchObject({ ready: 2, total: 2 });
  });

  test("while the new workers start, the old ones never wait in accept", async ({ sandbox }) => {
    const { gwpm, workers, command, go } = await standingUpgrade(sandbox);
    for (const pid of workers) {
      const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/0`, "utf8"))![1]!;
      expect(Number.parseInt(flags, 8) & constants.O_NONBLOCK, "the socket does not block").not.toBe(0);
    }
    go();
    expect((await command.wait()).code).toBe(0);
    await gwpm.gone();
    await successorOf(sandbox, gwpm);
  });

  test("the old one, having handed over: the new one sees its workers out", async ({ sandbox }) => {
    const old = await startGwpm(sandbox, { config: { pools: [web] } });
    const slow = ask(await addressOf(old, "web"), "/hang").catch(() => "cut off");
    await waitFor(async () => (await old.pool("web")).requests.active === 1, { what: "the request to hang" });
    const next = await upgrade(sandbox, old);
    const left = (await lastOfTheOld(next)).pid!;
    await old.crash();
    await next.events.waitFor({ type: "orphan-found", pid: left });
    await next.stop(["--fast"]);
    expect(await slow).toBe("cut off");
    expect(isAlive(left)).toBe(false);
  });

  test("a stop while the new one starts ends both", async ({ sandbox }) => {
    const { gwpm, command } = await standingUpgrade(sandbox);
    await gwpm.stop();
    expect((await command.wait()).code).not.toBe(0);
    await waitFor(() => processesOf(sandbox.dir).length === 0, { what: "everything to be gone" });
  });
});

test("a drained pool would be started by a new supervisor: refused until it is resumed", async ({
  sandbox,
}) => {
  const gwpm = await startGwpm(sandbox, { config: { pools: [web] } });
  expect((await gwpm.run(["drain", "web"])).code).toBe(0);
  const refused = await gwpm.run(["upgrade"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('pool "web" is drained');
  expect((await gwpm.run(["resume", "web"])).code).toBe(0);
  await upgrade(sandbox, gwpm);
  await gwpm.gone();
});

test("a supervisor in the foreground refuses, and says why and what to do", async ({ sandbox }) => {
  const file = sandbox.write("ecosystem.json", { pools: [web] });
  const child = await spawnGwpm(sandbox, ["start", "--foreground", "-c", file]);
  await child.stdout.waitFor(/web is ready/, { what: "the pool to be ready" });
  const { code, stderr } = await runGwpm(sandbox, ["upgrade", "-c", file]);
  expect(code).toBe(1);
  expect(stderr).toContain("it runs in the foreground");
  expect(stderr).toContain("gwpm start");
  child.kill("SIGUSR2");
  await child.stdout.waitFor(/WARN.*cannot hand over.*it runs in the foreground/, { what: "the warning" });
  expect(await ask(`unix:${sandbox.path("web.sock")}`)).toMatchObject({ status: 200 });
});
