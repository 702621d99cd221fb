/** Drain, resume and rollback. */

import { Barrier } from "../support/barrier.ts";
import { startGwpm } from "../support/gwpm.ts";
import { faultyWorker } from "../support/paths.ts";
import { addressOf, ask } from "../support/pools.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

const web = {
  name: "web",
  script: faultyWorker("hang-in-handler.mjs"),
  listen: "unix:./web.sock",
  workers: 2,
};

describe("gwpm drain", () => {
  test("finishes what is active, refuses what is new, and resume takes work again", async ({ sandbox }) => {
    sandbox.write(
      "app.mjs",
      `import { readFile } from "node:fs/promises";
       export default async (request, response) => {
         if (request.url === "/slow") await readFile(process.env.BARRIER);
         response.end("done");
       };`,
    );
    const barrier = new Barrier(sandbox);
    const pools = [{ ...web, script: "./app.mjs", http: "127.0.0.1:0", env: { BARRIER: barrier.path } }];
    const gwpm = await startGwpm(sandbox, { config: { pools } });
    const address = await addressOf(gwpm, "web");
    const url = (await gwpm.pool("web")).http!;
    const slow = ask(address, "/slow");
    await waitFor(async () => (await gwpm.pool("web")).requests.active === 1, {
      what: "the request to be active",
    });
    const drain = gwpm.run(["drain", "web"]);
    await gwpm.events.waitFor({ type: "listener-closed", pool: "web" });
    await expect(ask(address)).rejects.toThrow(/Cannot reach|refused|no such file/i);
    expect(await gwpm.pool("web")).toMatchObject({ state: "draining" });
    await barrier.open();
    expect(await slow).toEqual({ status: 200, body: "done" });
    expect(await drain).toMatchObject({ code: 0 });
    expect(await gwpm.pool("web")).toMatchObject({ state: "stopped", workers: { total: 0 } });
    expect((await gwpm.pool("web")).reason).toContain("drained");
    await expect(fetch(url)).rejects.toThrow();
    expect((await gwpm.run(["ping", "web"])).code).toBe(1);
    const scale = await gwpm.run(["scale", "web", "3"]);
    expect(scale.code).toBe(1);
    expect(scale.stderr).toContain("it is drained; resume it first");
    expect((await gwpm.run(["reload"])).code, "a reload leaves it drained").toBe(0);
    expect(await gwpm.pool("web")).toMatchObject({ state: "stopped" });
    expect(await gwpm.run(["resume", "web"])).toMatchObject({ code: 0 });
    expect(await ask(address)).toEqual({ status: 200, body: "done" });
    expect(await (await fetch((await gwpm.pool("web")).http!)).text()).toBe("done");
    expect(await gwpm.pool("web")).toMatchObject({ state: "ok", workers: { ready: 2 } });
  });

  test("a drained pool can be stopped and started like any other", async ({ sandbox }) => {
    const gwpm = await startGwpm(sandbox, { config: { pools: [web] } });
    expect((await gwpm.run(["drain", "web"])).code).toBe(0);
    expect((await gwpm.run(["drain", "web"])).code, "twice is no error").toBe(0);
    expect((await gwpm.run(["resume", "nobody"])).code).toBe(1);
    await gwpm.stop();
  });
});

describe("gwpm rollback", () => {
  test("goes back to the configuration before the last reload", async ({ sandbox }) => {
    const say = sandbox.write("app.mjs", "export default (req, res) => res.end(process.env.WORD);");
    const pool = { ...web, script: say };
    const gwpm = await startGwpm(sandbox, { config: { pools: [{ ...pool, env: { WORD: "one" } }] } });
    const address = await addressOf(gwpm, "web");
    const early = await gwpm.run(["rollback", "web"]);
    expect(early.code).toBe(1);
    expect(early.stderr).toContain("it has not been reloaded");
    const pools = [{ ...pool, listen: "unix:./other.sock", env: { WORD: "two" } }];
    sandbox.write("ecosystem.json", { log: { file: gwpm.logFile, format: "json" }, pools });
    expect((await gwpm.run(["reload"])).code).toBe(0);
    expect(await ask(`unix:${sandbox.path("other.sock")}`)).toEqual({ status: 200, body: "two" });
    expect(await gwpm.run(["rollback", "web"])).toMatchObject({ code: 0 });
    expect(await ask(address)).toEqual({ status: 200, body: "one" });
    expect(await gwpm.pool("web")).toMatchObject({ generation: 3, listen: [address] });
  });
});
