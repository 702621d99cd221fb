// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** The pool behind `gwpm run FILE`. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRunPool, poolNameOf, type RunFlags } from "../../../src/config/run-pool.ts";
import { Folder, host } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
});
afterAll(() => folder.remove());

const load = (flags: Partial<RunFlags>) =>
  loadRunPool({ file: "app.mjs", ...flags }, { host, cwd: folder.path, processEnv: { GWPM_HOME: "/g" } });

test("one pool, in a run dir of its own", () => {
  const runDir = `/g/run-${process.pid}`;
  expect(load({})).toMatchObject({
    configFile: null,
    runDir,
    controlSocket: `${runDir}/control.sock`,
    daemonize: false,
    pools: [
      {
        name: "app",
        program: { runtime: "script", file: join(folder.path, "app.mjs"), args: [] },
        cwd: folder.path,
        protocol: "fastcgi",
        listen: [{ address: { kind: "unix", path: `${runDir}/app.sock` } }],
        http: { kind: "tcp", host: "127.0.0.1", port: 8080 },
        sizing: { mode: "static", count: 4 },
      },
    ],
  });
});

test("every flag", () => {
  const flags = {
    http: ":0",
    listen: "unix:x.sock",
    protocol: "scgi",
    workers: "3",
    args: ["a"],
    watch: true,
    runDir: "/r",
  };
  expect(load(flags)).toMatchObject({
    runDir: "/r",
    pools: [
      {
        program: { args: ["a"] },
        protocol: "scgi",
        listen: [{ address: { kind: "unix", path: join(folder.path, "x.sock") } }],
        http: { host: "0.0.0.0", port: 0 },
        sizing: { count: 3 },
        watch: { paths: [{ base: folder.path, glob: null }], ignore: [], debounceMs: 100 },
      },
    ],
  });
});

test("the shell has expanded what there was to expand", () => {
  const file = folder.write("${X}.mjs", "");
  expect(load({ file }).pools[0]!.program.file).toBe(file);
});

test("errors name flags", async () => {
  const loading = async () =>
    load({ file: "nope.mjs", http: "x", listen: "y", protocol: "z", workers: "many" });
  expect(await folder.errorsOf(loading())).toEqual([
    ': --listen: "y" is not an address; write "unix:/run/app.sock", "127.0.0.1:9000" or "[::1]:9000"',
    ': --http: "x" is not an address; write "unix:/run/app.sock", "127.0.0.1:9000" or "[::1]:9000"',
    ': --protocol: must be "fastcgi", "scgi" or "http", not "z"',
    ': -n: must be a whole number from 1 to 10000, not "many"',
    ": FILE: there is no file <dir>/nope.mjs",
  ]);
});

test.each([
  ["app.mjs", "app"],
  ["/srv/My App.server.js", "my-app.server"],
  ["_private.js", "private"],
  [".hidden", "hidden"],
  ["émoji🎉.ts", "moji"],
  ["🎉.ts", "app"],
])("%s is called %s", (file, name) => {
  expect(poolNameOf(file)).toBe(name);
});
