// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** The JSON schema says the same as the loader, as far as a schema can. */

import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { parse } from "jsonc-parser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { firstConfig } from "../../../src/cli/first-config.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { isPending, type OptionTable } from "../../../src/config/option.ts";
import { toConfigObject } from "../../../src/config/print.ts";
import { configSchema } from "../../../src/config/schema.ts";
import { POOL_OPTIONS, SUPERVISOR_OPTIONS } from "../../../src/config/table.ts";
import { Folder, host, pool } from "./folder.ts";

const accepts = new Ajv({ allowUnionTypes: true, strictTypes: false }).compile(configSchema());
const root = new URL("../../../", import.meta.url);

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder.remove());

test("the example and what `init` writes are right by both", async () => {
  const example = new URL("ecosystem.example.json", root);
  const text = readFileSync(example, "utf8");
  expect([accepts(parse(text)), accepts.errors]).toEqual([true, null]);
  const { pools } = await loadConfig(example.pathname, { host, processEnv: {} });
  expect(pools.map(({ name, protocol, http, sizing }) => ({ name, protocol, http, sizing }))).toEqual([
    {
      name: "web",
      protocol: "fastcgi",
      http: { kind: "tcp", host: "127.0.0.1", port: 8080, family: 4 },
      sizing: { mode: "static", count: 2 },
    },
    {
      name: "scgi",
      protocol: "scgi",
      http: { kind: "tcp", host: "127.0.0.1", port: 8081, family: 4 },
      sizing: { mode: "static", count: 2 },
    },
  ]);
  expect(accepts(parse(firstConfig({ script: "app.mjs", pool: "app", hasPackage: true })))).toBe(true);
});

test("what `check --print` prints is right by the schema", async () => {
  const printed = toConfigObject(await folder.load({ pools: [pool] }));
  expect([accepts(printed), accepts.errors]).toEqual([true, null]);
});

describe("both accept", () => {
  test.each<[string, Record<string, unknown>]>([
    ["the least", {}],
    ["variables for numbers", { workers: "${W:-2}", clearEnv: "${C:-true}" }],
    [
      "every form of listen",
      { listen: [":0", { address: "unix:a", mode: "660", owner: 0, group: "www-data" }] },
    ],
    ["env blocks", { env: { A: 1 }, env_x: { B: true } }],
    ["what is off", { watch: false, recycle: {}, probe: null, timeouts: { request: "off" }, http: false }],
    ["watching", { watch: true }],
    ["watching, perhaps", { watch: "${WATCH:-true}" }],
    ["watching nothing", { watch: [] }],
    ["globs", { watch: ["src/**/*.js", "app.mjs"] }],
    ["all about watching", { watch: { paths: ["src"], ignore: ["*.log"], debounce: "1s" } }],
    ["percentages", { reload: { batch: "100%" } }],
  ])("%s", async (_what, change) => {
    const value = { $schema: "x", pools: [{ ...pool, ...change }] };
    expect([accepts(value), accepts.errors]).toEqual([true, null]);
    expect(await folder.errors(value)).toEqual([]);
  });
});

describe("both refuse", () => {
  test.each<[string, unknown]>([
    ["no pools", {}],
    ["an empty list", { pools: [] }],
    ["an unknown key", { pools: [{ ...pool, wrokers: 1 }] }],
    ["an unknown key at the top", { pools: [pool], x: 1 }],
    ["a missing name", { pools: [{ script: "app.mjs", listen: ":0" }] }],
    ["a bad name", { pools: [{ ...pool, name: "A" }] }],
    ["a string for a number", { pools: [{ ...pool, workers: "4" }] }],
    ["a bad duration", { pools: [pool], stopTimeout: "10 s" }],
    ["a bad mode", { pools: [{ ...pool, listen: { address: "unix:a", mode: 660 } }] }],
    ["a bad signal", { pools: [{ ...pool, stopSignal: "SIGKILL" }] }],
    ["what is not there yet", { pools: [{ ...pool, slowLog: "slow" }] }],
    ["a glob alone", { pools: [{ ...pool, watch: "src" }] }],
    ["a glob that excludes", { pools: [{ ...pool, watch: { paths: ["!src"] } }] }],
    ["part of what is not there yet", { pools: [{ ...pool, reload: { canary: { workers: 1 } } }] }],
    ["another sizing mode", { pools: [{ ...pool, workers: { mode: "dynamic" } }] }],
  ])("%s", async (_what, value) => {
    expect(accepts(value)).toBe(false);
    expect(await folder.errors(value)).not.toEqual([]);
  });
});

test("every default in the table is a value that its own schema accepts", () => {
  const defaultsOf = (table: OptionTable) =>
    Object.entries(table).filter(([, option]) => option.default !== undefined && !isPending(option));
  for (const [path, option] of defaultsOf(SUPERVISOR_OPTIONS)) {
    const value = { pools: [pool], ...nested(path, option.default) };
    expect([path, accepts(value), accepts.errors]).toEqual([path, true, null]);
  }
  for (const [path, option] of defaultsOf(POOL_OPTIONS)) {
    const value = { pools: [{ ...pool, ...nested(path, option.default) }] };
    expect([path, accepts(value), accepts.errors]).toEqual([path, true, null]);
  }
});

/** `a.b`, 1 → `{a: {b: 1}}` */
function nested(path: string, value: unknown): Record<string, unknown> {
  const [key, ...rest] = path.split(".");
  return { [key!]: rest.length === 0 ? value : nested(rest.join("."), value) };
}
