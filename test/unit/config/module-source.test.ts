/** Configurations that are modules: all their forms, read anew each time, and what goes wrong in them. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Folder, host } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder.remove());

const pool = (workers: number | string) =>
  `{ name: "web", script: "app.mjs", listen: "127.0.0.1:0", workers: ${workers} }`;

async function workersOf(name: string, text: string): Promise<number> {
  const { pools } = await folder.loadFile(folder.write(name, text));
  return pools[0]!.sizing.count;
}

describe("is read anew each time", () => {
  const esm = (n: number) => `export default { pools: [${pool(n)}] };`;
  const cjs = (n: number) => `module.exports = { pools: [${pool(n)}] };`;

  test.each<[string, string | null, (n: number) => string]>([
    ["esm/ecosystem.config.mjs", null, esm],
    ["cjs/ecosystem.config.cjs", null, cjs],
    ["a/ecosystem.config.js", '{"type": "module"}', esm],
    ["b/ecosystem.config.js", '{"type": "commonjs"}', cjs],
    ["c/ecosystem.config.js", "{}", cjs],
    ["named/ecosystem.config.mjs", null, (n) => `export const pools = [${pool(n)}];`],
    [
      "compiled/ecosystem.config.cjs",
      null,
      (n) => `exports.__esModule = true; exports.default = { pools: [${pool(n)}] };`,
    ],
  ])("%s", async (name, manifest, text) => {
    const dir = name.slice(0, name.indexOf("/"));
    if (manifest !== null) folder.write(`${dir}/package.json`, manifest);
    folder.write(`${dir}/app.mjs`, "");
    for (const n of [1, 2, 3]) expect(await workersOf(name, text(n))).toBe(n);
  });

  test("and so is what a CommonJS one requires", async () => {
    const text = `module.exports = { pools: [${pool('require("./count.cjs")')}] };`;
    for (const n of [1, 2]) {
      folder.write("count.cjs", `module.exports = ${n};`);
      expect(await workersOf("requires.config.cjs", text)).toBe(n);
    }
  });
});

test("may wait for something", async () => {
  const text = `export default { pools: [${pool("await Promise.resolve(2)")}] };`;
  expect(await workersOf("waits.config.mjs", text)).toBe(2);
});

describe("what goes wrong in it", () => {
  test.each<[string, string, string[]]>([
    [
      "throws.mjs",
      '\n\nthrow new TypeError("no luck");',
      [":3:7: running the file failed: TypeError: no luck"],
    ],
    ["throws.cjs", '\nthrow new Error("no luck");', [":2:7: running the file failed: Error: no luck"]],
    ["throws-null.mjs", "throw null;", [": running the file failed: null"]],
    ["exports-nothing.mjs", "", [': "pools" is missing']],
    ["exports-function.mjs", "export default () => ({});", [": must be an object, not a function"]],
    ["exports-null.cjs", "module.exports = null;", [": must be an object, not null"]],
    [
      "throwing-getter.mjs",
      'export default { get pools() { throw new Error("boo"); } };',
      [": cannot be read: Error: boo"],
    ],
    [
      "circular.mjs",
      "const c = { log: {} }; c.log.again = c; export default c;",
      [": log.again: holds itself"],
    ],
    [
      "strange-values.mjs",
      `export default { stopTimeout: 5n, daemonize: Symbol("s"), runDir: () => 1, pools: [${pool(1)}] };`,
      [
        ': stopTimeout: a bigint is not a duration; write "500ms", "10s", "5m" or "1h"',
        ": daemonize: must be true or false, not a symbol",
        ": runDir: must be a string, not a function",
      ],
    ],
  ])("%s", async (name, text, expected) => {
    expect(await folder.errorsOf(folder.loadFile(folder.write(name, text)))).toEqual(expected);
  });

  test("a syntax error, on whichever line", async () => {
    const file = folder.write("syntax.mjs", "export default {\n  pools: [\n};");
    const [error] = await folder.errorsOf(folder.loadFile(file));
    expect(error).toMatch(/^:3: running the file failed: SyntaxError: /);
  });
});

test("undefined is not there", async () => {
  const text = `export default { runDir: undefined, pools: [{ ...${pool(1)}, watch: undefined, cwd: undefined }] };`;
  expect(await workersOf("undefined.mjs", text)).toBe(1);
});

describe("TypeScript", () => {
  const text = `const workers: number = 2;\nexport default { pools: [${pool("workers")}] } as const;`;

  test.runIf(host.runsTypeScript)("runs as it is", async () => {
    expect(await workersOf("ecosystem.config.ts", text)).toBe(2);
  });

  test("needs a Node that runs it", async () => {
    const old = { host: { ...host, runsTypeScript: false, nodeVersion: "v20.19.0" } };
    const file = folder.write("ecosystem.config.ts", text);
    expect(await folder.errorsOf(folder.loadFile(file, old))).toEqual([
      ": a TypeScript configuration needs Node 22.18 or newer (this is Node v20.19.0); here, install tsx and run " +
        'gwpm with NODE_OPTIONS="--import tsx", or write the file in JavaScript',
    ]);
  });
});
