import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { explain } from "../../../src/cli/failure.ts";
import { main } from "../../../src/cli/main.ts";
import { VERBS } from "../../../src/cli/verbs.ts";
import { type Rig, startRig } from "../control/fake-target.ts";
import { type CapturedIo, captureIo } from "./captured-io.ts";

let rig: Rig;
let io: CapturedIo;
beforeEach(async () => {
  rig = await startRig();
  io = captureIo(rig.dir);
});
afterEach(() => rig.close());

const gwpm = (...argv: string[]) => main(argv, io);

describe("the overview", () => {
  test.each([["--help"], ["-h"], ["help"], ["-c", "x.json", "--help"]])("gwpm %s", async (...argv) => {
    expect(await gwpm(...argv)).toBe(0);
    for (const { name } of VERBS) expect(io.stdout.text).toContain(name);
    const [now, later] = io.stdout.text.split("Not yet:");
    expect(now).toMatch(/^ {2}reload \[pool…\] +re-read/m);
    expect(later).toContain("spawn-fcgi");
    expect(now).not.toContain("spawn-fcgi");
    expect(Math.max(...io.stdout.text.split("\n").map((line) => line.length))).toBeLessThan(100);
  });

  test("no verb at all is a usage error that shows it", async () => {
    expect(await gwpm()).toBe(2);
    expect(io.stderr.text).toContain("Usage: gwpm <verb>");
    expect(io.stdout.text).toBe("");
  });
});

describe("verbs", () => {
  test.each(VERBS.filter(({ load }) => load !== null).map(({ name }) => name))(
    "%s --help has an example",
    async (name) => {
      expect(await gwpm(name, "--help")).toBe(0);
      expect(io.stdout.text).toMatch(new RegExp(`^Usage: gwpm ${name}`));
      expect(io.stdout.text).toMatch(/Examples?:\n/);
      expect(io.stdout.text).toContain("--socket <path>");
      expect(await gwpm("help", name)).toBe(0);
    },
  );

  test.each(VERBS.filter(({ load }) => load === null).map(({ name }) => name))(
    "%s is known and not implemented yet",
    async (name) => {
      expect(await gwpm(name, "web", "--for", "1m")).toBe(1);
      expect(io.stderr.text).toContain(`\`gwpm ${name}\` is not implemented yet`);
    },
  );

  test.each([
    [["relaod"], 'there is no verb "relaod"; did you mean "reload"?'],
    [["xyzzy"], 'there is no verb "xyzzy"\n'],
    [["--frobnicate"], "there is no flag --frobnicate before the verb"],
    [["stop", "--fats"], "stop: unknown option '--fats'"],
    [["stop", "web"], "stop: too many arguments"],
    [["scale", "web"], "scale: missing required argument 'workers'"],
    [["scale", "web", "many"], 'scale: "many" is not a number of workers'],
    [["scale", "web", "1.5"], 'scale: "1.5" is not a number of workers'],
    [["recycle", "web:x"], 'recycle: "web:x" is not a pool or a pool\'s slot'],
    [["logs", "-n", "few"], "logs: -n few is not a number of lines"],
    [["logs", "-n"], "logs: option '-n, --lines <count>' argument missing"],
    [["events", "--since", "yesterday"], "events: --since yesterday is neither a duration nor a time"],
    [["status", "-c"], "status: option '-c, --config <file>' argument missing"],
  ])("gwpm %j is a usage error", async (argv, says) => {
    expect(await gwpm(...argv)).toBe(2);
    expect(io.stderr.text).toContain(says);
    expect(io.stderr.text).toMatch(/^gwpm: /);
    expect(io.stdout.text).toBe("");
    expect(rig.target.calls).toEqual([]);
  });

  test("a negative count is not a flag", async () => {
    for (const change of ["-2", "+2", "-12"]) expect(await gwpm("scale", "web", change)).toBe(0);
    expect(rig.target.calls.map((call) => call[2])).toEqual(["-2", "+2", "-12"]);
  });
});

describe("flags for every verb", () => {
  test("stand before the verb or after it", async () => {
    const elsewhere = captureIo("/");
    const socket = rig.socketPath;
    for (const argv of [
      ["--socket", socket, "ping"],
      [`--socket=${socket}`, "ping"],
      ["ping", "--socket", socket],
      ["--env", "production", "ping", `--socket=${socket}`],
    ]) {
      expect(await main(argv, elsewhere)).toBe(0);
    }
  });

  test("-c names the config that says where the supervisor is", async () => {
    const config = join(rig.dir, "other.json");
    writeFileSync(config, JSON.stringify({ controlSocket: "control.sock", pools: [] }));
    const elsewhere = captureIo("/");
    for (const argv of [
      ["-c", config, "ping"],
      [`-c${config}`, "ping"],
      ["ping", "--config", config],
    ]) {
      expect(await main(argv, elsewhere)).toBe(0);
    }
  });

  test("-t is check", async () => {
    const config = join(rig.dir, "bad.json");
    writeFileSync(config, "{}");
    expect(await gwpm("-t", "-c", config)).toBe(78);
    expect(await gwpm("-c", config, "-t")).toBe(78);
  });

  test("a config that does not say where the supervisor is: 78, with every error and its place", async () => {
    const config = join(rig.dir, "bad.json");
    writeFileSync(config, '{\n  "runDir": 7\n}');
    expect(await gwpm("status", "-c", config)).toBe(78);
    expect(io.stderr.text).toContain(`${config}:2:13: runDir: `);
  });
});

describe("what nobody expected", () => {
  test("is one sentence and a hint", async () => {
    const failure = explain(new TypeError("x is not a function"), false);
    expect(failure).toEqual({
      exitCode: 1,
      lines: ["unexpected: x is not a function", "This should not happen; GWPM_DEBUG=1 shows where it did."],
    });
  });

  test("shows where it happened with GWPM_DEBUG=1, causes included", async () => {
    const { lines } = explain(new Error("outer", { cause: new Error("inner") }), true);
    expect(lines.filter((line) => line.includes("main.test.ts")).length).toBeGreaterThanOrEqual(2);
    expect(lines).toContain("caused by:");
  });

  test("cannot steer the terminal, and keeps its lines", async () => {
    rig.target.document = { ...rig.target.document, pools: [] };
    rig.target.failure = new Error("evil \u001b[2J\nsecond line");
    expect(await gwpm("status")).toBe(1);
    expect(io.stderr.text).toBe("gwpm: The supervisor failed to answer: evil \\x1b[2J\nsecond line\n");
  });

  test("the run dir that is gone is no supervisor", async () => {
    await rig.close();
    rmSync(rig.dir, { recursive: true, force: true });
    expect(await gwpm("ping")).toBe(3);
    rig = await startRig();
  });
});
