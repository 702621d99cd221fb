// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** What a config file that is right turns into. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findConfig, loadConfig } from "../../../src/config/load.ts";
import { Folder, host, pool } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
  mkdirSync(join(folder.path, "dir"));
});
afterAll(() => folder.remove());

/** The pool that a change to the least pool gives. */
async function load(change: Record<string, unknown>, options = {}) {
  return (await folder.load({ pools: [{ ...pool, ...change }] }, options)).pools[0]!;
}

test("the least config, with every default", async () => {
  const { path } = folder;
  expect(await folder.load({ pools: [pool] })).toEqual({
    configFile: `${path}/ecosystem.json`,
    runDir: "/home/someone/.gwpm/run",
    controlSocket: "/home/someone/.gwpm/run/control.sock",
    pidFile: "/home/someone/.gwpm/run/gwpm.pid",
    log: { level: "info", file: null, format: "pretty" },
    stopTimeoutMs: 30_000,
    daemonize: true,
    pools: [
      {
        name: "web",
        program: { runtime: "script", file: `${path}/app.mjs`, args: [], nodeArgs: [] },
        cwd: path,
        protocol: "fastcgi",
        listen: [
          {
            address: { kind: "unix", path: `${path}/web.sock` },
            backlog: 511,
            mode: 0o660,
            owner: null,
            group: null,
          },
        ],
        http: null,
        sizing: { mode: "static", count: 4 },
        concurrency: 100,
        timeouts: { startMs: 30_000, stopMs: 30_000, idleConnectionMs: null },
        reload: { batch: { kind: "count", count: 1 } },
        recycle: {
          maxRequests: null,
          maxLifetimeMs: null,
          maxMemory: null,
          maxMemoryHard: null,
          maxIdleMs: null,
          jitter: 0.1,
        },
        watch: null,
        env: {},
        clearEnv: false,
        stopSignal: "SIGTERM",
        logs: { maxLineBytes: 65_536 },
        restart: { minMs: 100, maxMs: 30_000, degradedAfter: 5, windowMs: 60_000 },
        wire: {
          maxParams: 1_048_576,
          maxRequestsPerConnection: 1024,
          multiplex: true,
          basePath: "",
          scgiAbortOnFin: false,
        },
      },
    ],
  });
});

test("every option that works, set to something else", async () => {
  const { path } = folder;
  const config = await folder.load({
    $schema: "./ecosystem.schema.json",
    runDir: "run",
    controlSocket: "c.sock",
    pidFile: "/var/run/gwpm.pid",
    log: { level: "debug", file: "gwpm.log", format: "pretty" },
    stopTimeout: "1m",
    daemonize: false,
    pools: [
      {
        name: "api.v1_x-2",
        script: "./app.mjs",
        args: ["--port", "1"],
        nodeArgs: ["--max-old-space-size=64"],
        cwd: "dir",
        protocol: "scgi",
        listen: [
          "[::1]:9000",
          { address: "unix:s", backlog: 16, mode: "0600", owner: "www-data", group: 33 },
        ],
        http: ":8080",
        workers: { mode: "static", count: 7 },
        concurrency: 1,
        timeouts: { start: 1, stop: 0, idleConnection: "5m" },
        reload: { batch: "25%" },
        recycle: {
          maxRequests: 500,
          maxLifetime: "1h",
          maxMemory: "256MB",
          maxMemoryHard: "1GB",
          maxIdle: 0,
          jitter: 0.5,
        },
        watch: { paths: ["lib"], debounce: "1s" },
        env: { A: "a", N: 1, T: true },
        clearEnv: true,
        stopSignal: "INT",
        logs: { maxLine: "1KB" },
        restart: { backoff: { min: "1s", max: "1m" }, degradedAfter: 2, window: "1h" },
        wire: {
          maxParams: "64KB",
          maxRequestsPerConnection: 1,
          multiplex: false,
          basePath: "/app",
          scgiAbortOnFin: true,
        },
      },
    ],
  });
  expect(config).toEqual({
    configFile: `${path}/ecosystem.json`,
    runDir: `${path}/run`,
    controlSocket: `${path}/c.sock`,
    pidFile: "/var/run/gwpm.pid",
    log: { level: "debug", file: `${path}/gwpm.log`, format: "pretty" },
    stopTimeoutMs: 60_000,
    daemonize: false,
    pools: [
      {
        name: "api.v1_x-2",
        program: {
          runtime: "script",
          file: `${path}/app.mjs`,
          args: ["--port", "1"],
          nodeArgs: ["--max-old-space-size=64"],
        },
        cwd: `${path}/dir`,
        protocol: "scgi",
        listen: [
          {
            address: { kind: "tcp", host: "::1", port: 9000, family: 6 },
            backlog: 511,
            mode: 0o660,
            owner: null,
            group: null,
          },
          {
            address: { kind: "unix", path: `${path}/s` },
            backlog: 16,
            mode: 0o600,
            owner: "www-data",
            group: "33",
          },
        ],
        http: { kind: "tcp", host: "0.0.0.0", port: 8080, family: 4 },
        sizing: { mode: "static", count: 7 },
        concurrency: 1,
        timeouts: { startMs: 1, stopMs: 0, idleConnectionMs: 300_000 },
        reload: { batch: { kind: "percent", percent: 25 } },
        recycle: {
          maxRequests: 500,
          maxLifetimeMs: 3_600_000,
          maxMemory: 268_435_456,
          maxMemoryHard: 1_073_741_824,
          maxIdleMs: null,
          jitter: 0.5,
        },
        watch: { paths: [{ base: `${path}/lib`, glob: null }], ignore: [], debounceMs: 1_000 },
        env: { A: "a", N: "1", T: "true" },
        clearEnv: true,
        stopSignal: "SIGINT",
        logs: { maxLineBytes: 1024 },
        restart: { minMs: 1000, maxMs: 60_000, degradedAfter: 2, windowMs: 3_600_000 },
        wire: {
          maxParams: 65_536,
          maxRequestsPerConnection: 1,
          multiplex: false,
          basePath: "/app",
          scgiAbortOnFin: true,
        },
      },
    ],
  });
});

test.each([false, null, "off", 0])("an idle connection's timeout of %j is off", async (idleConnection) => {
  expect((await load({ timeouts: { idleConnection } })).timeouts.idleConnectionMs).toBeNull();
});

test("a log file is written for machines, unless it says otherwise", async () => {
  const { log } = await folder.load({ pools: [pool], log: { file: "x.log" } });
  expect(log).toEqual({ level: "info", file: `${folder.path}/x.log`, format: "json" });
});

describe("variables", () => {
  const processEnv = { WORKERS: "3", MULTI: "false", SECRET: "s", DIR: "dir" };

  test("stand in strings, and where a number or a flag is wanted", async () => {
    const loaded = await load(
      {
        workers: "${WORKERS}",
        concurrency: "${NOT_SET:-7}",
        cwd: "./${DIR}",
        timeouts: { start: "${NOT_SET:-5s}" },
        wire: { multiplex: "${MULTI}" },
        env: { A: "<${SECRET}>", B: "$${SECRET}" },
        args: ["${SECRET}"],
      },
      { processEnv },
    );
    expect(loaded).toMatchObject({
      sizing: { count: 3 },
      concurrency: 7,
      cwd: `${folder.path}/dir`,
      timeouts: { startMs: 5000 },
      wire: { multiplex: false },
      env: { A: "<s>", B: "${SECRET}" },
      program: { args: ["s"] },
    });
  });

  test("that hold no number are no number", async () => {
    const errors = await folder.errors({ pools: [{ ...pool, workers: "${SECRET}" }] }, { processEnv });
    expect(errors[0]).toMatch(/workers: must be a whole number from 1 to 10000, not "s"$/);
  });
});

describe("--env", () => {
  const blocks = {
    env: { A: "base", B: "base" },
    env_production: { B: "production", C: "${SECRET}" },
    env_staging: { B: "staging" },
  };

  test("lays the block of that name over env", async () => {
    const { env } = await load(blocks, { envName: "production", processEnv: { SECRET: "s" } });
    expect(env).toEqual({ A: "base", B: "production", C: "s" });
  });

  test("leaves blocks alone that were not asked for, and their variables unset", async () => {
    expect((await load(blocks)).env).toEqual({ A: "base", B: "base" });
    expect((await load(blocks, { envName: "staging" })).env).toEqual({ A: "base", B: "staging" });
  });

  test("asks for the variables of the block that it chose", async () => {
    expect(await folder.errors({ pools: [{ ...pool, ...blocks }] }, { envName: "production" })).toEqual([
      expect.stringMatching(/pools\[0\]\.env_production\.C: the environment variable SECRET is not set/),
    ]);
  });

  test("need not be known to every pool, but to one", async () => {
    const pools = [
      { ...pool, ...blocks },
      { ...pool, name: "b", listen: ":0", env: { A: "b" } },
    ];
    const loaded = await folder.load({ pools }, { envName: "staging" });
    expect(loaded.pools.map(({ env }) => env)).toEqual([{ A: "base", B: "staging" }, { A: "b" }]);
    expect(await folder.errors({ pools }, { envName: "stagign" })).toEqual([
      ':1:1: --env "stagign": no pool has "env_stagign"; there is production, staging',
    ]);
    expect(await folder.errors({ pools: [pool] }, { envName: "x" })).toEqual([
      ':1:1: --env "x": no pool has "env_x"; no pool has any env_<name>',
    ]);
  });
});

describe("the file", () => {
  test("is found by name, the JSON first", () => {
    const found = new Folder();
    expect(findConfig(found.path)).toBeUndefined();
    found.write("ecosystem.config.ts", "");
    expect(findConfig(found.path)).toBe(join(found.path, "ecosystem.config.ts"));
    found.write("ecosystem.config.js", "");
    expect(findConfig(found.path)).toBe(join(found.path, "ecosystem.config.js"));
    found.write("ecosystem.json", "");
    expect(findConfig(found.path)).toBe(join(found.path, "ecosystem.json"));
    found.remove();
  });

  test("may begin with a byte order mark", async () => {
    expect((await folder.load(`\uFEFF${JSON.stringify({ pools: [pool] })}`)).pools).toHaveLength(1);
  });

  test("is named relative to where the command was given", async () => {
    const file = folder.write(
      "dir/other.json",
      JSON.stringify({ pools: [{ ...pool, script: "../app.mjs" }] }),
    );
    const loaded = await loadConfig("dir/other.json", { host, cwd: folder.path, processEnv: {} });
    expect(loaded.configFile).toBe(file);
    expect(loaded.pools[0]!.cwd).toBe(join(folder.path, "dir"));
  });

  test.each([
    ["nope.json", ": there is no such file"],
    ["nope.mjs", ": there is no such file"],
    ["dir", ': this is no kind of configuration that gwpm reads; name it "….json", .js, .mjs, .cjs or .ts'],
    [
      "app.yaml",
      ': this is no kind of configuration that gwpm reads; name it "….json", .js, .mjs, .cjs or .ts',
    ],
  ])("%s cannot be read", async (name, message) => {
    expect(await folder.errorsOf(folder.loadFile(name))).toEqual([message]);
  });

  test("may be no folder", async () => {
    mkdirSync(join(folder.path, "x.json"), { recursive: true });
    expect(await folder.errorsOf(folder.loadFile("x.json"))).toEqual([
      ": this is not a file; name the one in it, such as <dir>/x.json/ecosystem.json",
    ]);
  });
});

test("--socket counts for more than controlSocket", async () => {
  const value = { pools: [pool], controlSocket: "a.sock" };
  expect((await folder.load(value, { socket: "b.sock" })).controlSocket).toBe(join(folder.path, "b.sock"));
});
