/** Reload, restart, scale and recycle: new before old, and back again when the new does not start. */

import { writeFileSync } from "node:fs";
import { type Gwpm, startGwpm } from "../support/gwpm.ts";
import { addressOf, ask } from "../support/pools.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

const say = (word: string) => `export default (req, res) => res.end(${JSON.stringify(word)});`;

async function start(sandbox: Sandbox, pool: object = {}): Promise<Gwpm> {
  sandbox.write("app.mjs", say("one"));
  const web = { name: "web", script: "./app.mjs", listen: "unix:./web.sock", workers: 2, ...pool };
  return startGwpm(sandbox, { config: { pools: [web] } });
}

/** The ready count after each event, which must never fall below the floor once the pool is up. */
function readyCounts(gwpm: Gwpm, after: number): number[] {
  const ready = new Set<number>();
  const counts: number[] = [];
  for (const event of gwpm.events.all) {
    if (event.type === "worker-ready") ready.add(event.pid);
    if (event.type === "worker-draining" || event.type === "worker-exited") ready.delete(event.pid);
    if (event.seq > after) counts.push(ready.size);
  }
  return counts;
}

describe("gwpm reload", () => {
  test("takes new code in, one worker at a time, new before old", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const address = await addressOf(gwpm, "web");
    expect(await ask(address)).toEqual({ status: 200, body: "one" });
    sandbox.write("app.mjs", say("two"));
    const mark = gwpm.events.mark;
    const result = await gwpm.run(["reload"]);
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).toContain("web: generation 2");
    for (let i = 0; i < 8; i++) expect(await ask(address)).toEqual({ status: 200, body: "two" });
    expect(Math.min(...readyCounts(gwpm, mark))).toBe(2);
    expect(Math.max(...readyCounts(gwpm, mark)), "a batch of one").toBe(3);
    expect(await gwpm.pool("web")).toMatchObject({
      generation: 2,
      lastReload: { result: "ok" },
      restarts: { crashed: 0 },
    });
  });

  test("does not wait for old workers that are still serving", async ({ sandbox }) => {
    const slow = `import { existsSync } from "node:fs";
      export default async (req, res) => {
        while (req.url === "/slow" && !existsSync("go")) await new Promise((done) => setTimeout(done, 5));
        res.end("one");
      };`;
    sandbox.write("slow.mjs", slow);
    const gwpm = await start(sandbox, { script: "./slow.mjs" });
    const address = await addressOf(gwpm, "web");
    const answers: Promise<unknown>[] = [];
    const everyoneIsBusy = async () => {
      answers.push(ask(address, "/slow"));
      return (await gwpm.pool("web")).processes.every(({ active }) => active! > 0);
    };
    await waitFor(everyoneIsBusy, { what: "each worker to have taken a request" });
    expect(await gwpm.run(["reload"])).toMatchObject({ code: 0 });
    expect(await gwpm.pool("web")).toMatchObject({ workers: { ready: 2, draining: 2 } });
    sandbox.write("go", "");
    for (const answer of answers) expect(await answer).toEqual({ status: 200, body: "one" });
  });

  test("a generation that does not start is abandoned: exit 6, its own words, the old one serves on", async ({
    sandbox,
  }) => {
    const gwpm = await start(sandbox);
    gwpm.expectErrors(/rolled back/);
    const pids = await gwpm.readyPids("web");
    sandbox.write("app.mjs", "syntax error here");
    const result = await gwpm.run(["reload"]);
    expect(result.code).toBe(6);
    expect(result.stderr + result.stdout).toContain("SyntaxError");
    expect(await ask(await addressOf(gwpm, "web"))).toEqual({ status: 200, body: "one" });
    expect(await gwpm.readyPids("web")).toEqual(pids);
    expect(await gwpm.pool("web")).toMatchObject({
      generation: 1,
      state: "ok",
      lastReload: { result: "rolled-back" },
    });
  });

  test("a config with errors: exit 78, each error told, nothing touched", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    gwpm.expectErrors(/rejected/);
    const pids = await gwpm.readyPids("web");
    writeFileSync(gwpm.configFile, '{ "pools": [ { "name": "web", "workers": "many" } ] }');
    const result = await gwpm.run(["reload"], { env: { GWPM_HOME: sandbox.path("run") } });
    expect(result.code).toBe(78);
    expect(result.stderr).toContain("workers");
    expect(result.stderr).toContain("script");
    expect(await gwpm.readyPids("web")).toEqual(pids);
  });

  test("pools come and go with the config; --changed leaves the others alone", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const web = { name: "web", script: "./app.mjs", listen: "unix:./web.sock", workers: 2 };
    const second = { ...web, name: "second", listen: "unix:./second.sock", http: "127.0.0.1:0" };
    const config = JSON.parse((await gwpm.run(["check", "--print"])).stdout) as { log: object };
    expect(config.log).toBeDefined();
    const write = (pools: object[]) =>
      sandbox.write("ecosystem.json", { log: { file: gwpm.logFile, format: "json" }, pools });
    const pids = await gwpm.readyPids("web");
    write([web, second]);
    expect(await gwpm.run(["reload", "--changed"])).toMatchObject({ code: 0 });
    expect(await ask(`unix:${sandbox.path("second.sock")}`)).toMatchObject({ status: 200 });
    expect((await fetch((await gwpm.pool("second")).http!)).status).toBe(200);
    expect(await gwpm.readyPids("web")).toEqual(pids);
    write([{ ...web, env: { CHANGED: "1" } }]);
    expect(await gwpm.run(["reload", "--changed"])).toMatchObject({ code: 0 });
    await gwpm.events.waitFor({ type: "pool-stopped", pool: "second" });
    await gwpm.events.waitFor({ type: "pool-stopped", pool: "second/http" });
    expect((await gwpm.status()).pools.map(({ name, generation }) => [name, generation])).toEqual([
      ["web", 2],
    ]);
    await expect(ask(`unix:${sandbox.path("second.sock")}`)).rejects.toThrow();
  });

  test("addresses change with the config, and only once the new workers are ready", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const web = { name: "web", script: "./app.mjs", workers: 2 };
    const listen = ["unix:./new.sock", "unix:./web.sock"];
    sandbox.write("ecosystem.json", {
      log: { file: gwpm.logFile, format: "json" },
      pools: [{ ...web, listen }],
    });
    expect(await gwpm.run(["reload"])).toMatchObject({ code: 0 });
    for (const name of ["new.sock", "web.sock"])
      expect(await ask(`unix:${sandbox.path(name)}`)).toMatchObject({ status: 200 });
    sandbox.write("ecosystem.json", {
      log: { file: gwpm.logFile, format: "json" },
      pools: [{ ...web, listen: listen[0] }],
    });
    expect(await gwpm.run(["reload"])).toMatchObject({ code: 0 });
    await expect(ask(`unix:${sandbox.path("web.sock")}`)).rejects.toThrow();
    expect(await ask(`unix:${sandbox.path("new.sock")}`)).toMatchObject({ status: 200 });
  });

  test("a pool that gets another name, or another protocol, keeps its address", async ({ sandbox }) => {
    const gwpm = await start(sandbox, { listen: "127.0.0.1:0" });
    const address = await addressOf(gwpm, "web");
    const renamed = { name: "app", protocol: "scgi", script: "./app.mjs", listen: "127.0.0.1:0", workers: 1 };
    sandbox.write("ecosystem.json", { log: { file: gwpm.logFile, format: "json" }, pools: [renamed] });
    expect(await gwpm.run(["reload"])).toMatchObject({ code: 0 });
    await gwpm.events.waitFor({ type: "pool-stopped", pool: "web" });
    for (let i = 0; i < 4; i++) {
      expect(await ask(address, "/", { protocol: "scgi" })).toEqual({ status: 200, body: "one" });
    }
  });

  test("a start that times out is abandoned at once: no second worker of that generation", async ({
    sandbox,
  }) => {
    const gwpm = await start(sandbox, { timeouts: { start: "1s" } });
    gwpm.expectErrors(/rolled back/);
    sandbox.write("app.mjs", "await new Promise(() => setInterval(() => {}, 1000));");
    const mark = gwpm.events.mark;
    expect((await gwpm.run(["reload"])).code).toBe(6);
    const started = gwpm.events
      .select({ type: "worker-starting", generation: 2 })
      .filter(({ seq }) => seq > mark);
    expect(started).toHaveLength(1);
    expect(await gwpm.pool("web")).toMatchObject({ workers: { total: 2, ready: 2 } });
  });

  test("several at once wait for each other; SIGHUP is the same thing", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const results = await Promise.all([gwpm.run(["reload"]), gwpm.run(["reload"]), gwpm.run(["restart"])]);
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    const mark = gwpm.events.mark;
    gwpm.signal("SIGHUP");
    await gwpm.events.waitFor({ type: "reload-finished", result: "ok" }, { after: mark });
    expect(await gwpm.pool("web")).toMatchObject({ generation: 5, workers: { ready: 2 } });
  });

  test("an unknown pool is named with the known ones", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const result = await gwpm.run(["reload", "wbe"]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('no pool "wbe"; the pools are web');
  });
});

describe("gwpm scale", () => {
  test("to a count, up and down", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    expect((await gwpm.run(["scale", "web", "4"])).code).toBe(0);
    expect(await gwpm.pool("web")).toMatchObject({ workers: { wanted: 4, ready: 4 } });
    expect((await gwpm.run(["scale", "web", "-3"])).code).toBe(0);
    expect(await gwpm.pool("web")).toMatchObject({ workers: { wanted: 1, ready: 1 } });
    expect((await gwpm.run(["scale", "web", "+1"])).code).toBe(0);
    expect(await gwpm.pool("web")).toMatchObject({ workers: { wanted: 2, ready: 2 } });
    expect((await gwpm.run(["scale", "web", "lots"])).code).toBe(2);
  });

  test("TTIN and TTOU add and take a worker", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    gwpm.signal("SIGTTIN");
    await gwpm.events.waitFor({ type: "pool-scaled", from: 2, to: 3 });
    await gwpm.events.waitFor({ type: "worker-ready", slot: 2 });
    gwpm.signal("SIGTTOU");
    await gwpm.events.waitFor({ type: "worker-draining", slot: 2, cause: { kind: "scale-down" } });
  });
});

describe("gwpm recycle", () => {
  test("one worker, and all of a pool, new before old", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const before = await gwpm.readyPids("web");
    const mark = gwpm.events.mark;
    expect((await gwpm.run(["recycle", "web:1"])).code).toBe(0);
    const between = await gwpm.readyPids("web");
    expect(between[0]).toBe(before[0]);
    expect(between[1]).not.toBe(before[1]);
    expect((await gwpm.run(["recycle", "web"])).code).toBe(0);
    const after = await gwpm.readyPids("web");
    expect(after.filter((pid) => between.includes(pid))).toEqual([]);
    expect(Math.min(...readyCounts(gwpm, mark))).toBe(2);
    for (const pid of [before[1], ...between]) await gwpm.events.waitFor({ type: "worker-exited", pid });
    expect(await gwpm.pool("web")).toMatchObject({ restarts: { recycled: 3, crashed: 0 } });
  });

  test("a handler can ask for it", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    sandbox.write(
      "app.mjs",
      "export default (req, res) => { req.gateway.recycle('enough'); res.end('bye'); };",
    );
    await gwpm.run(["reload"]);
    const mark = gwpm.events.mark;
    expect(await ask(await addressOf(gwpm, "web"))).toEqual({ status: 200, body: "bye" });
    await gwpm.events.waitFor(
      { type: "worker-draining", cause: { kind: "asked", reason: "enough" } },
      { after: mark },
    );
  });

  test("a worker that is not there is an error that names those that are", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const result = await gwpm.run(["recycle", "web:7"]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('pool "web" has no ready worker 7; ready: 0, 1');
  });
});

test("requests.total survives reloads, recycles and crashes", async ({ sandbox }) => {
  const gwpm = await start(sandbox);
  const address = await addressOf(gwpm, "web");
  for (let i = 0; i < 5; i++) await ask(address);
  expect((await gwpm.run(["reload"])).code).toBe(0);
  for (let i = 0; i < 5; i++) await ask(address);
  expect((await gwpm.run(["recycle", "web"])).code).toBe(0);
  const [first] = await gwpm.readyPids("web");
  process.kill(first!, "SIGKILL");
  const exit = await gwpm.events.waitFor({ type: "worker-exited", pid: first });
  expect(exit.requests).not.toBeNull();
  expect(await gwpm.pool("web")).toMatchObject({ requests: { total: 10, failed: 0 } });
});

test("an environment of its own: env, clearEnv, GWPM_*, NODE_APP_INSTANCE", async ({ sandbox }) => {
  sandbox.write("env.mjs", "export default (req, res) => res.end(JSON.stringify(process.env));");
  const pool = { name: "web", script: "./env.mjs", listen: "unix:./web.sock", workers: 1 };
  const pools = [
    { ...pool, env: { COLOUR: "red" }, env_production: { COLOUR: "blue" } },
    { ...pool, name: "bare", listen: "unix:./bare.sock", env: { ONLY: "this" }, clearEnv: true },
  ];
  await startGwpm(sandbox, { config: { pools }, args: ["--env", "production"], env: { OUTER: "1" } });
  const of = async (name: string) =>
    JSON.parse((await ask(`unix:${sandbox.path(`${name}.sock`)}`)).body) as Record<string, string>;
  expect(await of("web")).toMatchObject({
    COLOUR: "blue",
    OUTER: "1",
    GWPM_POOL: "web",
    GWPM_SLOT: "0",
    GWPM_GENERATION: "1",
    GWPM_PROTOCOL: "fastcgi",
    GWPM_LISTEN_FDS: "0",
    NODE_APP_INSTANCE: "0",
  });
  const bare = await of("bare");
  expect(bare.ONLY).toBe("this");
  expect(bare.OUTER).toBeUndefined();
});
