/** From start to stop: what a user of the command line sees and what is left afterwards. */

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { runGwpm, spawnGwpm, startGwpm } from "../support/gwpm.ts";
import { faultyWorker } from "../support/paths.ts";
import { addressOf, ask } from "../support/pools.ts";
import { isAlive, processesOf } from "../support/processes.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

const script = faultyWorker("process-send-ready.mjs");
const web = {
  name: "web",
  script: faultyWorker("hang-in-handler.mjs"),
  listen: "unix:./web.sock",
  workers: 2,
};

describe("gwpm start", () => {
  test("returns when every pool is ready, each over its own protocol", async ({ sandbox }) => {
    const pools = [
      { ...web, listen: ["unix:./web.sock", "127.0.0.1:0", "[::1]:0"] },
      { ...web, name: "s", protocol: "scgi", listen: "unix:./s.sock" },
      { ...web, name: "h", protocol: "http", listen: "127.0.0.1:0" },
    ];
    const gwpm = await startGwpm(sandbox, { config: { pools } });
    const { pools: status } = await gwpm.status();
    expect(status.map(({ name, state, workers }) => [name, state, workers.ready])).toEqual([
      ["web", "ok", 2],
      ["s", "ok", 2],
      ["h", "ok", 2],
    ]);
    for (const { protocol, listen } of status) {
      for (const address of listen)
        expect(await ask(address, "/", { protocol })).toMatchObject({ status: 200 });
    }
  });

  test("keeps the run dir to itself and opens it as far as front ends need", async ({ sandbox }) => {
    const gwpm = await startGwpm(sandbox, { config: { pools: [web] } });
    const mode = (path: string) => statSync(path).mode & 0o777;
    const run = sandbox.path("run");
    expect(mode(run).toString(8)).toBe("711");
    for (const file of ["control.sock", "gwpm.pid", "journal.ndjson", "state.json"]) {
      expect([file, mode(`${run}/${file}`).toString(8)]).toEqual([file, "600"]);
    }
    expect(readFileSync(`${run}/gwpm.pid`, "utf8")).toBe(`${gwpm.pid}\n`);
    expect(mode(sandbox.path("web.sock")).toString(8)).toBe("660");
  });

  test("a second one is refused and disturbs nothing", async ({ sandbox }) => {
    const gwpm = await startGwpm(sandbox, { config: { pools: [web] } });
    const second = await gwpm.run(["start"]);
    expect(second).toMatchObject({ code: 1 });
    expect(second.stderr).toContain("a supervisor already runs for");
    expect(await ask(await addressOf(gwpm, "web"))).toMatchObject({ status: 200 });
    expect(readFileSync(sandbox.path("run", "gwpm.pid"), "utf8")).toBe(`${gwpm.pid}\n`);
  });

  test("a pool whose worker cannot start: its own last words, exit 1, nothing left", async ({ sandbox }) => {
    const pools = [
      web,
      { ...web, name: "bad", script: faultyWorker("crash-on-boot.mjs"), listen: "unix:./bad.sock" },
    ];
    const file = sandbox.write("ecosystem.json", { pools });
    const { code, stderr } = await runGwpm(sandbox, ["start", "-c", file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/pool "bad".* exited with code 3 before it was ready/);
    expect(stderr).toContain("cannot reach the database at db.test:5432");
    expect(processesOf(sandbox.dir)).toEqual([]);
    expect(existsSync(sandbox.path("web.sock"))).toBe(false);
    expect((await runGwpm(sandbox, ["status", "-c", file])).code).toBe(3);
  });

  test("a worker that never gets ready: exit 124 once the time is up", async ({ sandbox }) => {
    const pools = [{ ...web, script: faultyWorker("never-ready.mjs") }];
    const file = sandbox.write("ecosystem.json", { pools });
    const result = await runGwpm(sandbox, ["start", "-c", file, "--timeout", "1s"]);
    expect(result.code).toBe(124);
    expect(result.stderr).toContain("web 0/2 ready");
    expect(processesOf(sandbox.dir)).toEqual([]);
  });

  test("a worker that is not ready within timeouts.start fails the start", async ({ sandbox }) => {
    const pools = [{ ...web, script: faultyWorker("never-ready.mjs"), timeouts: { start: "2s" } }];
    const file = sandbox.write("ecosystem.json", { pools });
    const result = await runGwpm(sandbox, ["start", "-c", file]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("was not ready within 2.0 s");
    expect(result.stderr).toContain("loading");
  });

  test("an address that is taken is told, and the sockets opened before it are gone", async ({ sandbox }) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const file = sandbox.write("ecosystem.json", {
      pools: [{ ...web, listen: ["unix:./web.sock", `127.0.0.1:${port}`] }],
    });
    const result = await runGwpm(sandbox, ["start", "-c", file]);
    server.close();
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`Cannot listen on 127.0.0.1:${port}: another process listens there`);
    expect(existsSync(sandbox.path("web.sock"))).toBe(false);
  });

  test("the http listener moves on to the next free port and says so", async ({ sandbox }) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const gwpm = await startGwpm(sandbox, { config: { pools: [{ ...web, http: `127.0.0.1:${port}` }] } });
    const { http } = await gwpm.pool("web");
    server.close();
    expect(http).not.toBe(`http://127.0.0.1:${port}`);
    expect(await (await fetch(`${http}/`)).text()).not.toBe("");
    expect(gwpm.events.select({ type: "warning", pool: "web/http" })[0]?.text).toContain(`${port} is taken`);
  });

  test("bad config: every error with its place, exit 78, nothing touched", async ({ sandbox }) => {
    const file = sandbox.write(
      "ecosystem.json",
      '{\n  "pools": [\n    { "name": "web", "scrpt": "x.mjs", "listen": "nowhere", "workers": -1 }\n  ]\n}\n',
    );
    const { code, stderr } = await runGwpm(sandbox, ["start", "-c", file]);
    expect(code).toBe(78);
    expect(stderr).toMatch(/ecosystem\.json:3:\d+.*scrpt.*script/);
    expect(stderr).toMatch(/ecosystem\.json:3:\d+.*listen/);
    expect(stderr).toMatch(/ecosystem\.json:3:\d+.*workers/);
    expect(readdirSync(sandbox.dir)).toEqual(["ecosystem.json"]);
  });
});

describe("gwpm stop", () => {
  test("leaves no process, no socket, no pid file; and is no error when nothing runs", async ({
    sandbox,
  }) => {
    const gwpm = await startGwpm(sandbox, { config: { pools: [{ ...web, http: "127.0.0.1:0" }] } });
    await gwpm.stop();
    expect(processesOf(sandbox.dir)).toEqual([]);
    expect(readdirSync(sandbox.path("run")).sort()).toEqual(["gwpm.log", "journal.ndjson", "lock"]);
    expect(existsSync(sandbox.path("web.sock"))).toBe(false);
    const again = await gwpm.run(["stop"]);
    expect(again.code).toBe(0);
    for (const verb of [["status"], ["reload"], ["scale", "web", "3"], ["events"], ["ping"]]) {
      expect([verb[0], (await gwpm.run(verb)).code]).toEqual([verb[0], 3]);
    }
  });

  test("kills what ignores every request to end, and what workers have left in their group", async ({
    sandbox,
  }) => {
    const pools = [
      { ...web, name: "deaf", script: faultyWorker("ignore-term.mjs"), listen: "unix:./d.sock", workers: 1 },
      { ...web, name: "family", script: faultyWorker("grandchild.mjs"), listen: "unix:./f.sock", workers: 1 },
    ];
    const gwpm = await startGwpm(sandbox, { config: { pools, stopTimeout: "300ms" } });
    const grandchild = Number((await ask(`unix:${sandbox.path("f.sock")}`)).body);
    expect(isAlive(grandchild)).toBe(true);
    await gwpm.stop();
    expect(isAlive(grandchild)).toBe(false);
  });

  test("--fast does not wait for a request that hangs", async ({ sandbox }) => {
    const gwpm = await startGwpm(sandbox, { config: { pools: [web] } });
    const hanging = ask(`unix:${sandbox.path("web.sock")}`, "/hang").then(
      () => "answered",
      () => "cut off",
    );
    await waitFor(async () => (await gwpm.pool("web")).requests.active === 1, {
      what: "the request to hang",
    });
    await gwpm.stop(["--fast"]);
    expect(await hanging).toBe("cut off");
  });
});

describe("in the foreground", () => {
  test("prints the URL, logs to the terminal, and Ctrl-C leaves nothing", async ({ sandbox }) => {
    const file = sandbox.write("ecosystem.json", { pools: [{ ...web, http: "127.0.0.1:0" }] });
    const child = await spawnGwpm(sandbox, ["start", "--foreground", "-c", file]);
    const line = await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/, { what: "the URL" });
    const url = /http:\/\/[\d.:]+/.exec(line)![0];
    expect((await fetch(url)).status).toBe(200);
    child.kill("SIGINT");
    expect(await child.wait()).toEqual({ code: 0, signal: null });
    expect(processesOf(sandbox.dir)).toEqual([]);
  });

  test("gwpm run serves a file without any config", async ({ sandbox }) => {
    const hello = sandbox.write("hello.mjs", "export default (req, res) => res.end('hello ' + req.url);");
    const child = await spawnGwpm(sandbox, ["run", hello, "-n", "1", "--http", "127.0.0.1:0"]);
    const line = await child.stdout.waitFor(/http:\/\/127\.0\.0\.1:\d+/, { what: "the URL" });
    const response = await fetch(`${/http:\/\/[\d.:]+/.exec(line)![0]}/you?x=1`);
    expect(await response.text()).toBe("hello /you?x=1");
    child.kill("SIGTERM");
    expect(await child.wait()).toEqual({ code: 0, signal: null });
  });

  test("a pool's fault does not end it", async ({ sandbox }) => {
    const pools = [
      web,
      { ...web, name: "bad", script: faultyWorker("crash-on-boot.mjs"), listen: "unix:./bad.sock" },
    ];
    const file = sandbox.write("ecosystem.json", { log: { level: "debug" }, pools });
    const child = await spawnGwpm(sandbox, ["start", "--foreground", "-c", file]);
    await child.stdout.waitFor(/Pool "bad" is degraded/, { what: "the bad pool to be degraded" });
    expect(await ask(`unix:${sandbox.path("web.sock")}`)).toMatchObject({ status: 200 });
    child.kill("SIGTERM");
    expect(await child.wait()).toEqual({ code: 0, signal: null });
  });
});

test("PM2's process.send('ready') counts as readiness", async ({ sandbox }) => {
  const gwpm = await startGwpm(sandbox, { config: { pools: [{ ...web, script }] } });
  expect(await gwpm.pool("web")).toMatchObject({ state: "ok" });
});
