/** `gwpm prove` against real supervisors and workers: what it must pass, and what it must not let pass. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LedgerReport } from "../../src/core/ledger.ts";
import { type Gwpm, type RunResult, spawnGwpm, startGwpm } from "../support/gwpm.ts";
import { faultyWorker, ROOT } from "../support/paths.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

interface Document extends LedgerReport {
  readonly passed: boolean;
  readonly interrupted: boolean;
  readonly keepAlive: boolean;
  readonly reloads: { readonly ok: number; readonly rolledBack: number; readonly failed: number } | null;
  readonly kills: number | null;
  readonly problems: readonly string[];
}

const ECHO = join(ROOT, "examples", "prove-echo.mjs");

async function start(sandbox: Sandbox, pool: object): Promise<Gwpm> {
  const web = { name: "web", listen: "unix:./web.sock", workers: 2, ...pool };
  return startGwpm(sandbox, { config: { pools: [web] } });
}

/** The example app, and the names of the requests that it has handled. */
async function startEcho(
  sandbox: Sandbox,
  pool: object = {},
): Promise<{ gwpm: Gwpm; handled: () => string[] }> {
  const file = sandbox.path("handled");
  const gwpm = await start(sandbox, { script: ECHO, env: { PROVE_FILE: file }, ...pool });
  return { gwpm, handled: () => readFileSync(file, "utf8").trimEnd().split("\n") };
}

/** Runs it with `--json`. */
async function prove(gwpm: Gwpm, ...args: string[]): Promise<RunResult & { document: Document }> {
  const result = await gwpm.run(["prove", "web", "--json", ...args], { deadlineMs: 50_000 });
  expect(result.stderr).toBe("");
  return { ...result, document: JSON.parse(result.stdout) as Document };
}

describe.each([
  ["fastcgi", "cannot be understood"],
  ["scgi", "6 bytes of the response's Content-Length missing"],
  ["http", "closed the connection before the response was complete"],
])("over %s", (protocol, brokenOff) => {
  test("a pool that answers everything passes, and the books agree with the application's own", async ({
    sandbox,
  }) => {
    const { gwpm, handled } = await startEcho(sandbox, { protocol });
    const { code, document } = await prove(gwpm, "--for", "700ms");
    const { sent } = document;
    expect(code).toBe(0);
    expect(sent).toBeGreaterThan(20);
    expect(document).toMatchObject({
      passed: true,
      interrupted: false,
      keepAlive: protocol !== "scgi",
      answered: sent,
      echoed: sent,
      ...{ lost: 0, mixedUp: 0, brokenByKill: 0, abandoned: 0, duplicated: 0 },
      statuses: { 200: sent },
      reloads: null,
      kills: null,
    });
    expect(handled().length).toBe(sent);
    expect(new Set(handled()).size).toBe(sent);
  });

  test("an application that drops every 50th request fails, and each of them is counted", async ({
    sandbox,
  }) => {
    const gwpm = await start(sandbox, { script: faultyWorker("drops-every-50th.mjs"), protocol });
    const { code, document } = await prove(gwpm, "--for", "2s");
    const { sent, lost, losses } = document;
    expect(code).toBe(1);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBe(Math.floor(sent / 50));
    expect(document).toMatchObject({
      passed: false,
      answered: sent - lost,
      duplicated: null,
      brokenByKill: 0,
    });
    expect(losses.map(({ number }) => number % 50)).toEqual(losses.map(() => 0));
    expect(losses[0]!.reason).toContain(brokenOff);
  });
});

test("reloads during the run are carried out, counted, and lose nothing", async ({ sandbox }) => {
  const { gwpm, handled } = await startEcho(sandbox);
  const { code, document } = await prove(gwpm, "--for", "2s", "--reload-every", "400ms");
  expect(document).toMatchObject({ losses: [], problems: [], reloads: { rolledBack: 0, failed: 0 } });
  expect(code).toBe(0);
  const { ok } = document.reloads!;
  expect(ok).toBeGreaterThan(0);
  expect((await gwpm.pool("web")).generation).toBe(1 + ok);
  expect(document.answered).toBe(document.sent);
  expect(handled().length).toBe(document.sent);
});

test("a reload that is rolled back: 6, and its reason", async ({ sandbox }) => {
  sandbox.write("app.mjs", "export default (req, res) => res.end('one');");
  const gwpm = await start(sandbox, { script: "./app.mjs" });
  gwpm.expectErrors(/rolled back/);
  sandbox.write("app.mjs", "syntax error here");
  const { code, document } = await prove(gwpm, "--for", "1s", "--reload-every", "700ms");
  expect(code).toBe(6);
  expect(document).toMatchObject({ passed: false, lost: 0, reloads: { ok: 0, rolledBack: 1, failed: 0 } });
  expect(document.problems[0]).toContain("a reload was rolled back: ");
});

test("workers are killed, and what they had in hand is told apart from what was lost", async ({
  sandbox,
}) => {
  const { gwpm } = await startEcho(sandbox);
  const { code, document } = await prove(gwpm, "--for", "2s", "--kill-every", "500ms");
  const { sent, brokenByKill, kills } = document;
  expect(document).toMatchObject({ losses: [], lost: 0, duplicated: 0, answered: sent - brokenByKill });
  expect(code).toBe(0);
  expect(kills).toBeGreaterThan(0);
  // The journal's last line may still be on its way to us.
  const crashes = () => gwpm.events.select({ type: "worker-exited", signal: "SIGKILL" }).length;
  await waitFor(() => crashes() >= kills!, { what: `${kills} workers to have been killed` });
  expect(crashes()).toBe(kills);
});

test("for people: a table, and a verdict; behind the pool's HTTP listener, too", async ({ sandbox }) => {
  const { gwpm } = await startEcho(sandbox, { http: "127.0.0.1:0" });
  const { http } = await gwpm.pool("web");
  const args = ["prove", "web", "--for", "500ms", "--url", `${http}/some/path`, "--expect-echo"];
  const { code, stdout, stderr } = await gwpm.run(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(new RegExp(`^web: [\\d,]+ requests in .* through ${http}\n`));
  expect(stdout).toMatch(/^ {2}answered once +[\d,]+ {2}with status 200: [\d,]+$/m);
  expect(stdout).toMatch(/^ {2}duplicated +0$/m);
  expect(stdout).toMatch(/^passed: every request got one answer\n$/m);
});

test("Ctrl-C ends the run early and prints the result", async ({ sandbox }) => {
  const { gwpm, handled } = await startEcho(sandbox);
  const args = ["prove", "web", "--json", "--for", "10m", "-c", gwpm.configFile];
  const child = await spawnGwpm(sandbox, args);
  await waitFor(() => handled().length > 20, { what: "some requests" });
  child.kill("SIGINT");
  expect((await child.wait()).code).toBe(0);
  const document = JSON.parse(child.stdout.text) as Document;
  expect(document).toMatchObject({ interrupted: true, passed: true, answered: document.sent, abandoned: 0 });
});

test("a second Ctrl-C does not wait for the answers, and nothing has been proven then", async ({
  sandbox,
}) => {
  const mark = sandbox.path("asked");
  sandbox.write(
    "hang.mjs",
    `import { writeFileSync } from "node:fs";\nexport default () => writeFileSync(${JSON.stringify(mark)}, "");`,
  );
  const gwpm = await start(sandbox, { script: "./hang.mjs" });
  const child = await spawnGwpm(sandbox, ["prove", "web", "--json", "-c", gwpm.configFile]);
  await waitFor(() => existsSync(mark), { what: "a request" });
  // Two of the same kind could arrive as one.
  child.kill("SIGINT");
  child.kill("SIGTERM");
  expect((await child.wait()).code).toBe(1);
  const document = JSON.parse(child.stdout.text) as Document;
  expect(document).toMatchObject({ passed: false, interrupted: true, sent: 1, answered: 0, abandoned: 1 });
});
