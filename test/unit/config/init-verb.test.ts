/** `gwpm init`: what it writes is a configuration, and what is there stays. */

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../../../src/cli/main.ts";
import { captureIo } from "../cli/captured-io.ts";
import { Folder, host } from "./folder.ts";

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
  rmSync(join(folder.path, "app.mjs"));
});
afterEach(() => folder.remove());

async function init() {
  const io = captureIo(folder.path);
  const code = await main(["init"], io);
  return { code, out: io.stdout.text, err: io.stderr.text };
}

test("an empty folder gets a config and a worker that answers", async () => {
  const { code, out } = await init();
  expect(code).toBe(0);
  expect(out).toMatch(
    /^wrote ecosystem\.json: one pool that runs app\.mjs\nwrote app\.mjs: .*\n\nNext:\n {2}gwpm start\n/,
  );
  expect(readdirSync(folder.path).sort()).toEqual(["app.mjs", "ecosystem.json"]);

  const { runDir, pools } = await folder.loadFile("ecosystem.json", { envName: "production" });
  expect(runDir).toBe(join(folder.path, "run"));
  expect(pools).toMatchObject([
    {
      name: "app",
      protocol: "fastcgi",
      listen: [{ address: { kind: "unix", path: join(folder.path, "run/app.sock") } }],
      http: { host: "127.0.0.1", port: 8080 },
      sizing: { count: 2 },
      env: { NODE_ENV: "production" },
    },
  ]);

  const { default: worker } = await host.importModule(pathToFileURL(join(folder.path, "app.mjs")).href);
  let body = "";
  const response = { setHeader() {}, end: (text: string) => (body = text) };
  (worker as (req: object, res: object) => void)({ method: "GET", url: "/x" }, response);
  expect(body).toBe(`Hello from worker ${process.pid}: GET /x\n`);
});

test("what is commented out is what holds anyway", async () => {
  await init();
  const file = join(folder.path, "ecosystem.json");
  const before = await folder.loadFile(file);
  const uncommented = readFileSync(file, "utf8").replaceAll('// "', '"');
  expect(uncommented).toContain('\n      "concurrency": 100,');
  folder.write("ecosystem.json", uncommented);
  expect(await folder.loadFile(file)).toEqual(before);
});

test("an app that is there becomes the pool's script", async () => {
  folder.write("server.js", "module.exports = () => {};");
  folder.write("node_modules/gwpm/package.json", "{}");
  const { out } = await init();
  expect(out).not.toContain("wrote server.js");
  expect(readFileSync(join(folder.path, "server.js"), "utf8")).toBe("module.exports = () => {};");
  const text = readFileSync(join(folder.path, "ecosystem.json"), "utf8");
  expect(text).toContain('"$schema": "./node_modules/gwpm/ecosystem.schema.json"');
  const [pool] = (await folder.loadFile("ecosystem.json")).pools;
  expect(pool).toMatchObject({ name: "server", program: { file: join(folder.path, "server.js") } });
});

test.each(["ecosystem.json", "ecosystem.config.mjs"])("%s is left alone", async (name) => {
  const file = folder.write(name, "mine");
  expect(await init()).toEqual({
    code: 1,
    out: "",
    err: `gwpm: ${file} exists already, and is left alone\nCheck it with \`gwpm check\`.\n`,
  });
  expect(readFileSync(file, "utf8")).toBe("mine");
  expect(readdirSync(folder.path)).toEqual([name]);
});
