/** The command as it is installed: compiled, started as a process. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, openSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lineOf, type Rig, startRig } from "../control/fake-target.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
let dist: string;
let bin: string;
let rig: Rig;

beforeAll(async () => {
  dist = mkdtempSync(join(tmpdir(), "gwpm-bin-"));
  bin = join(dist, "bin", "gwpm.js");
  symlinkSync(join(ROOT, "node_modules"), join(dist, "node_modules"));
  copyFileSync(join(ROOT, "package.json"), join(dist, "package.json"));
  const compiler = join(ROOT, "node_modules", ".bin", "tsc");
  await new Promise<void>((done, fail) => {
    const project = join(ROOT, "tsconfig.build.json");
    execFile(compiler, ["-p", project, "--outDir", dist], { cwd: ROOT }, (_error, stdout) => {
      // Types are another check's business: what matters here is that there is something to run.
      if (existsSync(bin)) done();
      else fail(new Error(stdout));
    });
  });
  rig = await startRig();
}, 60_000);

afterAll(async () => {
  await rig?.close();
  rmSync(dist, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], stdout: "pipe" | number = "pipe"): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    cwd: rig.dir,
    env: { ...process.env, GWPM_HOME: rig.dir, GWPM_DEBUG: "" },
    stdio: ["ignore", stdout, "pipe"],
  });
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

describe("the command", () => {
  test("prints its result and exits with its code", async () => {
    const { code, stdout, stderr } = await outcomeOf(start(["status", "--json"]));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual(rig.target.document);
  });

  test("a mistake goes to stderr", async () => {
    expect(await outcomeOf(start(["statsu"]))).toEqual({
      code: 2,
      stdout: "",
      stderr: 'gwpm: there is no verb "statsu"; did you mean "status"?\nSee `gwpm --help`.\n',
    });
  });

  test("a negative count passes", async () => {
    expect(await outcomeOf(start(["scale", "web", "-1"]))).toEqual({
      code: 0,
      stdout: "web: from 2 to 1 worker\n",
      stderr: "",
    });
  });

  test("a reader that has had enough is no error", async () => {
    rig.target.lines = Array.from({ length: 20_000 }, () => lineOf("x".repeat(100)));
    const child = start(["logs", "-n", "20000"]);
    child.stdout!.once("data", () => child.stdout!.destroy());
    const { code, stderr } = await outcomeOf(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("all of a long output arrives before the end", async () => {
    rig.target.lines = Array.from({ length: 5_000 }, (_, index) => lineOf(`${index} ${"x".repeat(100)}`));
    const { stdout } = await outcomeOf(start(["logs", "-n", "5000"]));
    expect(stdout.split("\n")).toHaveLength(5_001);
  });

  test.runIf(existsSync("/dev/full"))("output that cannot be written is an error", async () => {
    const { code, stderr } = await outcomeOf(start(["version"], openSync("/dev/full", "w")));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^gwpm: cannot write the output: ENOSPC/);
  });

  test("works in a folder that is gone", async () => {
    const gone = mkdtempSync(join(tmpdir(), "gwpm-gone-"));
    const script = 'rmdir "$1" && exec "$2" "$3" --socket "$4" ping';
    const child = spawn("sh", ["-c", script, "sh", gone, process.execPath, bin, rig.socketPath], {
      cwd: gone,
    });
    expect(await outcomeOf(child)).toEqual({ code: 0, stdout: "healthy\n", stderr: "" });
  });
});
