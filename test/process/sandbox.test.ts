/** The harness must be able to fail: a sandbox that overlooks a mess would let every other test pass. */

import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { onTestFinished } from "vitest";
import { isAlive } from "../support/processes.ts";
import { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

/** Starts a process that leaves the group and the parent behind, and reports the new pid. */
const DAEMON = `
  const { spawn } = require("node:child_process");
  const daemon = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1000)"],
    { detached: true, stdio: ["ignore", "pipe", "ignore"], env: process.argv[1] === "bare" ? {} : process.env });
  daemon.stdout.once("data", () => { console.log(daemon.pid); process.exit(); });`;

/** A sandbox to be looked at; what it keeps is removed after the test. */
function messySandbox(): Sandbox {
  const sandbox = new Sandbox();
  onTestFinished(() => sandbox.discard());
  return sandbox;
}

describe("a sandbox", () => {
  test("leaves nothing when the test was clean", async () => {
    const sandbox = new Sandbox();
    sandbox.write("deep/file.json", { a: 1 });
    const child = await sandbox.start([
      process.execPath,
      "-e",
      "console.log('up'); setInterval(() => {}, 1000)",
    ]);
    await child.stdout.waitFor(/up/, { what: "the child to be up" });
    await sandbox.close({ failed: false });
    expect(isAlive(child.pid)).toBe(false);
    expect(existsSync(sandbox.dir)).toBe(false);
  });

  test.for(["env", "bare"])("finds and kills a process that escaped (%s)", async (environment) => {
    const sandbox = messySandbox();
    const child = await sandbox.start([process.execPath, "-e", DAEMON, environment]);
    const pid = Number(await child.stdout.waitFor(/^\d+$/, { what: "the daemon's pid" }));
    await expect(sandbox.close({ failed: false })).rejects.toThrow(`Process survived the test: ${pid} `);
    await waitFor(() => !isAlive(pid), { what: "the daemon to be killed" });
    expect(existsSync(sandbox.dir), "the folder is kept").toBe(true);
  });

  test("finds a socket that was left behind", async () => {
    const sandbox = messySandbox();
    const socket = sandbox.path("left.sock");
    const server = createServer().listen(socket);
    await waitFor(() => existsSync(socket), { what: "the socket" });
    await expect(sandbox.close({ failed: false })).rejects.toThrow(`Socket left behind: ${socket}`);
    server.close();
  });

  test("keeps the folder of a failed test", async () => {
    const sandbox = messySandbox();
    await sandbox.close({ failed: true });
    expect(existsSync(sandbox.dir)).toBe(true);
  });

  test("runs every cleanup, the last one first, whatever one throws", async () => {
    const sandbox = messySandbox();
    const ran: string[] = [];
    sandbox.defer(() => void ran.push("first"));
    sandbox.defer(() => {
      throw new Error("cleanup failed");
    });
    sandbox.defer(() => void ran.push("last"));
    await expect(sandbox.close({ failed: false })).rejects.toThrow("cleanup failed");
    expect(ran).toEqual(["last", "first"]);
  });
});
