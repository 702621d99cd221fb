import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { main } from "../../../src/cli/main.ts";
import { OperationError } from "../../../src/control/target.ts";
import {
  eventOf,
  lineOf,
  NOBODY,
  poolOf,
  pretendAlive,
  type Rig,
  startRig,
  statusOf,
  tempDir,
  verdictOf,
} from "../control/fake-target.ts";
import { type CapturedIo, captureIo } from "./captured-io.ts";

let rig: Rig;
let io: CapturedIo;
beforeEach(async () => {
  rig = await startRig();
  io = captureIo(rig.dir);
});
afterEach(() => rig.close());

const gwpm = (...argv: string[]) => main(argv, io);

/** Every verb that talks to a supervisor, as it is typed. */
const TALKING = [
  ["status"],
  ["logs"],
  ["events"],
  ["ping"],
  ["reload"],
  ["restart"],
  ["scale", "web", "1"],
  ["recycle", "web:0"],
  ["prove", "web"],
];

describe("exit codes that do not depend on the verb", () => {
  test.each(TALKING)("%s without a supervisor: 3", async (...argv) => {
    await rig.close();
    const empty = tempDir();
    io = captureIo(empty);
    expect(await gwpm(...argv)).toBe(3);
    expect(io.stderr.text).toBe(`gwpm: no supervisor runs for ${empty}; start one with \`gwpm start\`\n`);
    expect(io.stdout.text).toBe("");
    rmSync(empty, { recursive: true });
  });

  test.each([...TALKING, ["stop"]])("%s with a live supervisor whose socket is gone: 7", async (...argv) => {
    await rig.close();
    const dir = tempDir();
    pretendAlive(dir);
    io = captureIo(dir);
    expect(await gwpm(...argv)).toBe(7);
    expect(io.stderr.text).toContain(`the supervisor (pid ${process.pid}) is alive but does not answer`);
    rmSync(dir, { recursive: true });
  });

  test.each([...TALKING, ["stop"]])("%s where one may not: 4", async (...argv) => {
    // What is loaded lazily is loaded now: whom we become may not read it.
    await gwpm(...argv, "--help");
    chmodSync(rig.socketPath, 0);
    const isRoot = process.geteuid!() === 0;
    if (isRoot) process.seteuid!(65_534);
    try {
      expect(await gwpm(...argv)).toBe(4);
    } finally {
      if (isRoot) process.seteuid!(0);
    }
    expect(io.stderr.text).toContain(`you may not use the control socket ${rig.socketPath}`);
    expect(rig.target.calls).toEqual([]);
  });
});

describe("stop", () => {
  test("stops and says whom", async () => {
    expect(await gwpm("stop")).toBe(0);
    expect(await gwpm("stop", "--fast")).toBe(0);
    expect(rig.target.calls).toEqual([
      ["stop", { fast: false }],
      ["stop", { fast: true }],
    ]);
    expect(io.stdout.text).toBe(`stopped (pid ${NOBODY})\n`.repeat(2));
  });

  test("is a success where nothing runs", async () => {
    const empty = tempDir();
    io = captureIo(empty);
    expect(await gwpm("stop")).toBe(0);
    expect(io.stdout.text).toBe(`nothing runs for ${empty}\n`);
    rmSync(empty, { recursive: true });
  });

  test("is a success where the supervisor ends before its answer is through", async () => {
    rig.target.gate = new Promise(() => {});
    const stopped = gwpm("stop");
    while (rig.target.calls.length === 0) await new Promise(setImmediate);
    rig.server.closeAllConnections();
    expect(await stopped).toBe(0);
    expect(io.stderr.text).toBe("");
  });

  test("tells the supervisor's own refusal", async () => {
    rig.target.failure = undefined;
    rig.target.stop = async () => {
      throw new OperationError("GWPM_BUSY", "a stop is under way");
    };
    expect(await gwpm("stop")).toBe(1);
    expect(io.stderr.text).toBe("gwpm: a stop is under way\n");
  });

  test("shows on a terminal what it waits for, and takes that away", async () => {
    io = captureIo(rig.dir, 80);
    let open = () => {};
    rig.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    const stopped = gwpm("stop");
    while (!io.stderr.text.includes("stopping: 2 workers left, 1 request active")) {
      await new Promise(setImmediate);
    }
    open();
    expect(await stopped).toBe(0);
    expect(io.stderr.text).toMatch(/\r\u001b\[2K$/);
    expect(io.stdout.text).toBe(`stopped (pid ${NOBODY})\n`);
  });
});

describe("reload and restart", () => {
  test("pass on what they were told", async () => {
    expect(await gwpm("reload")).toBe(0);
    expect(await gwpm("reload", "web", "api", "--changed")).toBe(0);
    expect(await gwpm("restart", "web")).toBe(0);
    expect(await gwpm("restart")).toBe(0);
    expect(rig.target.calls).toEqual([
      ["reload", {}],
      ["reload", { pools: ["web", "api"], changed: true }],
      ["restart", { pools: ["web"] }],
      ["restart", {}],
    ]);
  });

  test("print a verdict for each pool", async () => {
    rig.target.verdict = {
      pools: [
        verdictOf("web", "ok"),
        verdictOf("new", "added"),
        verdictOf("old", "removed"),
        verdictOf("same", "unchanged"),
      ],
    };
    expect(await gwpm("reload")).toBe(0);
    expect(io.stdout.text).toBe(
      "web: generation 2 is ready, 1.2 s\nnew: added, ready in 1.2 s\nold: removed\nsame: unchanged, generation 2\n",
    );
  });

  test.each(["reload", "restart"])(
    "%s that was rolled back: 6, with the worker's last lines",
    async (name) => {
      rig.target.verdict = {
        pools: [
          verdictOf("api", "ok"),
          verdictOf("web", "rolled-back", {
            reason: "worker 0 exited with code 1 before it was ready",
            output: ["Error: no such table", "    at \u001b[31mquery"],
          }),
        ],
      };
      expect(await gwpm(name)).toBe(6);
      expect(io.stdout.text).toBe("api: generation 2 is ready, 1.2 s\n");
      expect(io.stderr.text).toBe(
        "web: rolled back from generation 2: worker 0 exited with code 1 before it was ready\n" +
          "the failing worker's last lines:\n  Error: no such table\n      at \\x1b[31mquery\n",
      );
      expect(await gwpm(name, "--json")).toBe(6);
      expect(JSON.parse(io.stdout.text.slice(io.stdout.text.indexOf("{")))).toEqual(rig.target.verdict);
    },
  );

  test("a bad configuration: 78, with every error", async () => {
    rig.target.failure = new OperationError("GWPM_BAD_CONFIG", "ecosystem.json has 2 errors", {
      exitCode: 78,
      errors: ["ecosystem.json:3:5: a", "ecosystem.json:4:5: b"],
    });
    expect(await gwpm("reload")).toBe(78);
    expect(await gwpm("reload", "--no-wait")).toBe(78);
    expect(io.stderr.text).toBe(
      "gwpm: ecosystem.json has 2 errors\n  ecosystem.json:3:5: a\n  ecosystem.json:4:5: b\n".repeat(2),
    );
  });

  test("--no-wait does not wait", async () => {
    rig.target.gate = new Promise(() => {});
    expect(await gwpm("reload", "--no-wait")).toBe(0);
    expect(io.stdout.text).toContain("`gwpm events -f` tells how it goes");
  });

  test("show on a terminal how far they are", async () => {
    const pool = poolOf("web", { state: "reloading" });
    const processes = pool.processes.map((process) => ({ ...process, generation: 1 + process.slot }));
    rig.target.document = statusOf([{ ...pool, processes }, poolOf("api")]);
    io = captureIo(rig.dir, 80);
    let open = () => {};
    rig.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    const reloaded = gwpm("reload");
    while (!io.stderr.text.includes("rolling web (generation 2: 1 of 2 ready)"))
      await new Promise(setImmediate);
    open();
    expect(await reloaded).toBe(0);
  });
});

describe("scale and recycle", () => {
  test("say what they did", async () => {
    expect(await gwpm("scale", "web", "+1")).toBe(0);
    expect(await gwpm("recycle", "web")).toBe(0);
    expect(await gwpm("recycle", "web:1")).toBe(0);
    expect(rig.target.calls).toEqual([
      ["scale", "web", "+1"],
      ["recycle", "web", undefined],
      ["recycle", "web", 1],
    ]);
    expect(io.stdout.text).toBe(
      "web: from 2 to 3 workers\n" +
        "web:0: pid 4242 has its replacement and finishes\nweb:1: pid 4242 has its replacement and finishes\n",
    );
  });

  test.each([
    ["scale", "wbe/../x", "1"],
    ["recycle", "wbe"],
    ["ping", "wbe"],
    ["logs", "wbe"],
  ])("%s of a pool that is not there: 1", async (...argv) => {
    expect(await gwpm(...argv)).toBe(1);
    expect(io.stderr.text).toBe(`gwpm: there is no pool "${argv[1]}"\n`);
  });
});

describe("ping", () => {
  test("healthy: 0; unhealthy: 1 and why", async () => {
    expect(await gwpm("ping")).toBe(0);
    expect(await gwpm("ping", "web", "--json")).toBe(0);
    rig.target.unhealthy = 'pool "web" is degraded: crashes';
    expect(await gwpm("ping", "web")).toBe(1);
    expect(io.stdout.text).toBe('healthy\n{\n  "healthy": true,\n  "reason": null\n}\n');
    expect(io.stderr.text).toBe('unhealthy: pool "web" is degraded: crashes\n');
  });
});

describe("status", () => {
  test("--json prints the document and nothing else", async () => {
    expect(await gwpm("status", "--json")).toBe(0);
    expect(JSON.parse(io.stdout.text)).toEqual(rig.target.document);
    expect(io.stderr.text).toBe("");
  });

  test("shows the pools that were asked for", async () => {
    rig.target.document = statusOf([poolOf("web"), poolOf("api")]);
    expect(await gwpm("status", "api", "--json")).toBe(0);
    expect(JSON.parse(io.stdout.text).pools).toEqual([poolOf("api")]);
    expect(await gwpm("status", "appi")).toBe(1);
    expect(io.stderr.text).toBe('gwpm: there is no pool "appi"\nDid you mean "api"?\n');
  });

  test("is plain in a pipe and coloured on a terminal, unless NO_COLOR is set", async () => {
    await gwpm("status", "--once");
    expect(io.stdout.text).toMatch(/^gwpm 0\.1\.0 running {2}pid/);
    expect(io.stdout.text).not.toContain("\u001b");
    const terminal = captureIo(rig.dir, 100);
    await main(["status"], terminal);
    expect(terminal.stdout.text).toContain("\u001b[32mok");
    const plain = captureIo(rig.dir, 100);
    plain.env.NO_COLOR = "1";
    await main(["status"], plain);
    expect(plain.stdout.text).not.toContain("\u001b");
  });
});

describe("logs", () => {
  test("prints past lines with their origin", async () => {
    rig.target.lines = [lineOf("hello"), lineOf("cut", { stream: "stderr", slot: 1, truncated: true })];
    expect(await gwpm("logs", "web", "-n", "5")).toBe(0);
    expect(rig.target.calls).toEqual([["logs", { pools: ["web"], last: 5 }]]);
    expect(io.stdout.text).toMatch(/^\S+ \S+ web:0 out {2}hello\n\S+ \S+ web:1 err {2}cut …\n$/);
  });

  test("a pipe gets a line as it is, a terminal what cannot steer it", async () => {
    rig.target.lines = [lineOf("\u001b[31mred\u001b[2Jgone")];
    await gwpm("logs");
    expect(io.stdout.text).toContain("\u001b[31mred\u001b[2Jgone\n");
    const terminal = captureIo(rig.dir, 80);
    await main(["logs"], terminal);
    expect(terminal.stdout.text).toContain("\u001b[31mred\\x1b[2Jgone\u001b[0m\n");
  });

  test("-f goes on until the supervisor goes: 3", async () => {
    const done = gwpm("logs", "-f", "--json");
    while (rig.target.followers.size === 0) await new Promise(setImmediate);
    rig.target.tell(lineOf("new"));
    while (io.stdout.text === "") await new Promise(setImmediate);
    expect(io.stdout.text).toBe(`${JSON.stringify(lineOf("new"))}\n`);
    rig.server.closeAllConnections();
    expect(await done).toBe(3);
  });

  test("-f ends quietly when nobody reads on", async () => {
    const done = gwpm("logs", "-f");
    while (rig.target.followers.size === 0) await new Promise(setImmediate);
    io.stdout.on("error", () => {});
    io.stdout.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    expect(await done).toBe(0);
    expect(io.stderr.text).toBe("");
  });
});

describe("events", () => {
  test("tells sentences, or the events themselves", async () => {
    rig.target.past = [eventOf(1)];
    expect(await gwpm("events")).toBe(0);
    expect(io.stdout.text).toMatch(/^\S+ \S+ {2}Pool "web" has recovered\n$/);
    const raw = captureIo(rig.dir);
    expect(await main(["events", "--json"], raw)).toBe(0);
    expect(raw.stdout.text).toBe(`${JSON.stringify(eventOf(1))}\n`);
  });

  test("--since takes a duration or a time", async () => {
    const before = Date.now();
    await gwpm("events", "--since", "10m");
    await gwpm("events", "--since", "2026-01-31T08:00:00Z");
    await gwpm("events");
    const [relative, absolute, all] = rig.target.calls.map((call) => call[1] as { since?: number });
    expect(relative!.since! - (before - 600_000)).toBeGreaterThanOrEqual(0);
    expect(relative!.since).toBeLessThanOrEqual(Date.now() - 600_000);
    expect(absolute).toEqual({ since: Date.UTC(2026, 0, 31, 8) });
    expect(all).toEqual({});
  });

  test("-f begins with the last ten, unless it was told since when", async () => {
    const done = gwpm("events", "-f");
    while (rig.target.followers.size === 0) await new Promise(setImmediate);
    expect(rig.target.calls).toEqual([["events", { last: 10 }]]);
    rig.server.closeAllConnections();
    await done;
  });

  test("a reader that was dropped is told: 1", async () => {
    const done = gwpm("events", "-f");
    while (rig.target.followers.size === 0) await new Promise(setImmediate);
    // More than may wait for one follower, before it had a chance to read any of it.
    rig.target.tell(eventOf(1, { pool: "x".repeat(2 * 1024 * 1024) }));
    expect(await done).toBe(1);
    expect(io.stderr.text).toMatch(/^gwpm: the supervisor ended the stream: \d+ bytes were waiting/);
    expect(rig.target.followers.size).toBe(0);
  });
});

test("a supervisor that accepts and never answers: 7", async () => {
  const dir = tempDir();
  const silent = createServer();
  silent.listen(`${dir}/control.sock`);
  await once(silent, "listening");
  io = captureIo(dir);
  expect(await gwpm("ping")).toBe(7);
  expect(io.stderr.text).toContain("did not answer on");
  silent.close();
  rmSync(dir, { recursive: true });
}, 10_000);
