// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** Whatever the file holds, loading ends in a configuration or in a ConfigError; and what is printed reads back. */

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { toConfigObject } from "../../../src/config/print.ts";
import { POOL_OPTIONS, SUPERVISOR_OPTIONS } from "../../../src/config/table.ts";
import { ConfigError } from "../../../src/config/types.ts";
import { Folder, pool } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder.remove());

/** Near misses find more than noise does. */
const scalar = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    "10s",
    "1GB",
    "unix:a",
    ":0",
    "[::1]:1",
    "app.mjs",
    "25%",
    "0660",
    "static",
    "${X}",
    "${X:-1}",
  ),
  fc.constantFrom<unknown>("${", "$${", "\0", "__proto__", 0, -1, 1e308, true, false, null, [], {}),
  fc.integer(),
);
const keyOf = (table: object) =>
  fc.constantFrom(
    ...Object.keys(table).flatMap((path) => [path, ...path.split(".")]),
    "env_x",
    "mode",
    "count",
  );
const node = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    scalar,
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(keyOf(POOL_OPTIONS), tie("any"), { maxKeys: 6 }),
  ),
})).any;
const config = fc.dictionary(keyOf(SUPERVISOR_OPTIONS), node, { maxKeys: 6 });

async function loadsOrFailsWell(text: string): Promise<void> {
  try {
    await folder.load(text, { envName: "x" });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).issues.length).toBeGreaterThan(0);
    for (const { message } of (error as ConfigError).issues) expect(message).toMatch(/\S/);
  }
}

test("any object of known and unknown keys", async () => {
  await fc.assert(
    fc.asyncProperty(config, (value) => loadsOrFailsWell(JSON.stringify(value))),
    { numRuns: 500 },
  );
});

test("a good pool with anything in one of its options", async () => {
  await fc.assert(
    fc.asyncProperty(keyOf(POOL_OPTIONS), node, (key, value) =>
      loadsOrFailsWell(JSON.stringify({ pools: [{ ...pool, [key]: value }] })),
    ),
    { numRuns: 1000 },
  );
});

test("any text, and a good text with anything in it", async () => {
  const good = JSON.stringify({ pools: [pool], runDir: "run" });
  const damaged = fc
    .tuple(fc.nat(good.length), fc.nat(5), fc.string({ unit: "binary", maxLength: 5 }))
    .map(([at, length, text]) => good.slice(0, at) + text + good.slice(at + length));
  await fc.assert(fc.asyncProperty(fc.oneof(fc.string({ unit: "binary" }), damaged), loadsOrFailsWell), {
    numRuns: 1000,
  });
});

const duration = fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.constantFrom("1ms", "90s", "24h"));
const goodPool = fc.record(
  {
    args: fc.array(fc.string({ unit: fc.constantFrom("$", "{", "}", "a", ":", "-") })),
    cwd: fc.constant("."),
    protocol: fc.constantFrom("fastcgi", "scgi", "http"),
    listen: fc.constantFrom<unknown>(":0", "[::1]:0", "unix:${X:-y}", [
      ":0",
      { address: "unix:b", mode: "600", owner: 7 },
    ]),
    http: fc.constantFrom<unknown>(":0", false, "unix:h.sock"),
    workers: fc.integer({ min: 1, max: 100 }),
    timeouts: fc.record(
      { start: duration, stop: duration, idleConnection: fc.oneof(duration, fc.constant("off")) },
      { requiredKeys: [] },
    ),
    reload: fc.record({ batch: fc.constantFrom<unknown>(1, 7, "1%", "100%") }, { requiredKeys: [] }),
    env: fc.dictionary(
      fc.stringMatching(/^[A-Za-z_]+$/),
      fc.oneof(fc.integer(), fc.boolean(), fc.constantFrom("$${A}", "$$", "${X:-}", "a b")),
    ),
    stopSignal: fc.constantFrom("TERM", "SIGUSR2"),
    logs: fc.record({ maxLine: fc.constantFrom<unknown>("1KB", 12_345) }),
    wire: fc.record(
      { basePath: fc.constantFrom("", "/a", "/a/b"), multiplex: fc.boolean() },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

test("what `check --print` prints reads back as the same configuration", async () => {
  await fc.assert(
    fc.asyncProperty(goodPool, fc.constantFrom({}, { log: { file: "l" } }), async (change, top) => {
      // Arguments with a stray "${" are errors of their own.
      fc.pre(
        !JSON.stringify(change.args ?? [])
          .replaceAll("$${", "")
          .includes("${"),
      );
      const loaded = await folder.load({ ...top, pools: [{ ...pool, ...change }] });
      expect(await folder.load(toConfigObject(loaded))).toEqual(loaded);
    }),
    { numRuns: 300 },
  );
});
