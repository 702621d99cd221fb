/** Workers share their listening socket with one that is just being started, which must not make it wait in `accept` for them. */

import { readFileSync } from "node:fs";
import { startGwpm } from "../support/gwpm.ts";
import { describe, expect, test } from "../support/test.ts";

const O_NONBLOCK = 0o4000;

/** The flags of a process' fd 0, which belong to the open socket and hence to everybody who has it. */
function flagsOfStdin(pid: number): number {
  const info = readFileSync(`/proc/${pid}/fdinfo/0`, "utf8");
  return Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)![1]!, 8);
}

describe.each(["unix:./web.sock", "127.0.0.1:0"])("on %s", (listen) => {
  test("the socket stays non-blocking while a worker boots", async ({ sandbox }) => {
    const app = "export default (req, res) => res.end();";
    sandbox.write("app.mjs", app);
    const pool = { name: "web", script: "./app.mjs", listen, workers: 1, timeouts: { start: "5s" } };
    const gwpm = await startGwpm(sandbox, { config: { pools: [pool] } });
    gwpm.expectErrors(/rolled back/);
    const [pid] = await gwpm.readyPids("web");
    expect(flagsOfStdin(pid!) & O_NONBLOCK).toBe(O_NONBLOCK);
    // It never gets as far as listening, where Node would set the flag itself.
    sandbox.write("app.mjs", `await new Promise((resolve) => setTimeout(resolve, 60_000));${app}`);
    const mark = gwpm.events.mark;
    const reload = gwpm.run(["reload"]);
    await gwpm.events.waitFor({ type: "worker-starting", pool: "web" }, { after: mark });
    expect(flagsOfStdin(pid!) & O_NONBLOCK).toBe(O_NONBLOCK);
    expect(await reload).toMatchObject({ code: 6 });
  });
});
