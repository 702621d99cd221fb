/** Hot reload: what is saved is served, what is broken is not, and nothing is lost over it. */

import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { type Gwpm, spawnGwpm, startGwpm } from "../support/gwpm.ts";
import { Ledger } from "../support/ledger.ts";
import { app } from "../support/paths.ts";
import { addressOf, ask, socketSender } from "../support/pools.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";

const say = (word: string) => `export default (req, res) => res.end(${JSON.stringify(word)});`;
/** Gets ready once $GATE is there: a reload that a test holds open. */
const sayBehindGate = (word: string) => `
  import { existsSync } from "node:fs";
  await new Promise((resolve) => {
    const look = () => (existsSync(process.env.GATE) ? resolve() : setTimeout(look, 10));
    look();
  });
  ${say(word)}`;

async function start(sandbox: Sandbox, pool: object = {}): Promise<Gwpm> {
  sandbox.write("app/app.mjs", say("one"));
  const web = { name: "web", script: "./app/app.mjs", cwd: "./app", listen: "unix:./web.sock", workers: 2 };
  return startGwpm(sandbox, { config: { pools: [{ ...web, watch: true, ...pool }] } });
}

/** The next reload of a pool that somebody other than the operator asked for. */
async function nextReload(gwpm: Gwpm, after: number): Promise<{ by: string; result: string; seq: number }> {
  const { by, generation } = await gwpm.events.waitFor({ type: "reload-started" }, { after });
  const { result, seq } = await gwpm.events.waitFor({ type: "reload-finished", generation }, { after });
  return { by, result, seq };
}

const body = async (gwpm: Gwpm) => (await ask(await addressOf(gwpm, "web"))).body;
const reloads = (gwpm: Gwpm) => gwpm.events.select({ type: "reload-started" }).map(({ by }) => by);

describe("a change of a file", () => {
  test("is served, and named as what brought the reload about", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const mark = gwpm.events.mark;
    sandbox.write("app/app.mjs", say("two"));
    expect(await nextReload(gwpm, mark)).toMatchObject({ by: "a change of app.mjs", result: "ok" });
    expect(await body(gwpm)).toBe("two");
    expect(gwpm.log()).toContain("asked by a change of app.mjs");
    expect(await gwpm.pool("web")).toMatchObject({ generation: 2, lastReload: { result: "ok" } });
  });

  test("that breaks it keeps the old code serving, and says why; the next save is tried again", async ({
    sandbox,
  }) => {
    const gwpm = await start(sandbox);
    gwpm.expectErrors(/rolled back/);
    const pids = await gwpm.readyPids("web");
    const mark = gwpm.events.mark;
    sandbox.write("app/app.mjs", "syntax error here");
    const broken = await nextReload(gwpm, mark);
    expect(broken).toMatchObject({ by: "a change of app.mjs", result: "rolled-back" });
    expect(await body(gwpm)).toBe("one");
    expect(await gwpm.readyPids("web")).toEqual(pids);
    const { lastReload } = await gwpm.pool("web");
    expect(lastReload).toMatchObject({ result: "rolled-back", generation: 2 });
    expect(lastReload?.reason).toContain("before it was ready");
    expect(gwpm.log()).toContain("SyntaxError");
    sandbox.write("app/app.mjs", say("mended"));
    expect(await nextReload(gwpm, broken.seq)).toMatchObject({ result: "ok" });
    expect(await body(gwpm)).toBe("mended");
  });

  test("by a rename over it, as editors save, is one of that file alone", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    let after = gwpm.events.mark;
    for (const word of ["two", "three"]) {
      const temporary = sandbox.write("app/app.mjs.tmp", say(word));
      renameSync(temporary, sandbox.path("app", "app.mjs"));
      const reload = await nextReload(gwpm, after);
      expect(reload).toMatchObject({ by: "a change of app.mjs", result: "ok" });
      expect(await body(gwpm)).toBe(word);
      after = reload.seq;
    }
    expect(reloads(gwpm)).toHaveLength(2);
  });

  test("of many files is one reload, which says how many", async ({ sandbox }) => {
    const gwpm = await start(sandbox);
    const mark = gwpm.events.mark;
    for (const name of ["a", "b", "c"]) sandbox.write(`app/lib/${name}.mjs`, "");
    const { by } = await nextReload(gwpm, mark);
    expect(by).toMatch(/^a change of lib\/[abc]\.mjs \+2 more$/);
    expect(reloads(gwpm)).toHaveLength(1);
  });
});

test("changes during a reload make exactly one more", async ({ sandbox }) => {
  const gate = sandbox.write("gate", "");
  const gwpm = await start(sandbox, { workers: 1, env: { GATE: gate } });
  rmSync(gate);
  const mark = gwpm.events.mark;
  sandbox.write("app/app.mjs", sayBehindGate("two"));
  const { generation } = await gwpm.events.waitFor({ type: "reload-started" }, { after: mark });
  for (const name of ["a", "b", "c"]) {
    sandbox.write(`app/${name}.mjs`, "");
    // To start a command takes longer than the debounce: unless it holds back, a reload would begin for each of them.
    await gwpm.run(["status"]);
  }
  expect(reloads(gwpm)).toHaveLength(1);
  sandbox.write("gate", "");
  const first = await gwpm.events.waitFor({ type: "reload-finished", generation });
  const second = await nextReload(gwpm, first.seq);
  expect(second.by).toMatch(/^a change of [abc]\.mjs \+2 more$/);
  await quiet(sandbox, gwpm, "app/last.mjs");
  expect(reloads(gwpm)).toEqual(["a change of app.mjs", second.by, "a change of last.mjs"]);
});

describe("no reload comes of", () => {
  test("other people's code, version control, editors, gwpm itself, and what is to be ignored", async ({
    sandbox,
  }) => {
    const gwpm = await start(sandbox, { cwd: ".", watch: { ignore: ["*.log", "./app/data"] } });
    const ignored = [
      ...["app/node_modules/x/index.js", "node_modules/x.js", ".git/HEAD", ".hg/x", ".svn/x", ".jj/x"],
      ...["app/.app.mjs.swp", "app/app.mjs~", "app/4913", "app/.#app.mjs", "app/#app.mjs#"],
      ...["run/x", "gwpm.log.1", "app/deep/er/access.log", "app/data/x/y.json"],
    ];
    for (const name of ignored) sandbox.write(name, "x");
    await gwpm.run(["status"]);
    await ask(await addressOf(gwpm, "web"));
    expect(await quiet(sandbox, gwpm, "app/last.mjs")).toBe("a change of app/last.mjs");
    expect(reloads(gwpm)).toHaveLength(1);
    for (const name of ignored) appendFileSync(sandbox.path(name), "y");
    expect(await quiet(sandbox, gwpm, "app/last.mjs")).toBe("a change of app/last.mjs");
    expect(reloads(gwpm)).toHaveLength(2);
  });

  test("files that no glob matches", async ({ sandbox }) => {
    const gwpm = await start(sandbox, { watch: ["app/**/*.mjs"] });
    sandbox.write("app/readme.txt", "x");
    sandbox.write("other.mjs", "x");
    expect(await quiet(sandbox, gwpm, "app/lib/last.mjs")).toBe("a change of lib/last.mjs");
    expect(reloads(gwpm)).toHaveLength(1);
  });

  test("a link that leads back to where it lies", async ({ sandbox }) => {
    mkdirSync(sandbox.path("app"));
    symlinkSync("..", sandbox.path("app", "loop"));
    sandbox.write("elsewhere.mjs", "");
    symlinkSync("../elsewhere.mjs", sandbox.path("app", "linked.mjs"));
    const gwpm = await start(sandbox);
    expect(await quiet(sandbox, gwpm, "app/last.mjs")).toBe("a change of last.mjs");
    expect(await quiet(sandbox, gwpm, "elsewhere.mjs"), "a linked file is watched").toBe(
      "a change of linked.mjs",
    );
  });
});

describe("folders", () => {
  test("that are swapped for others are watched as they are now", async ({ sandbox }) => {
    sandbox.write("app/lib/word.mjs", 'export default "one";');
    sandbox.write("next/word.mjs", 'export default "two";');
    const gwpm = await start(sandbox);
    sandbox.write(
      "app/app.mjs",
      `import word from "./lib/word.mjs"; export default (_, res) => res.end(word);`,
    );
    let { seq } = await nextReload(gwpm, 0);
    expect(await body(gwpm)).toBe("one");
    renameSync(sandbox.path("app/lib"), sandbox.path("old"));
    renameSync(sandbox.path("next"), sandbox.path("app/lib"));
    ({ seq } = await nextReload(gwpm, seq));
    expect(await body(gwpm)).toBe("two");
    sandbox.write("app/lib/word.mjs", 'export default "three";');
    expect(await nextReload(gwpm, seq)).toMatchObject({ by: "a change of lib/word.mjs" });
    expect(await body(gwpm)).toBe("three");
  });

  test("that disappear and come back are watched again; one that is not there yet is waited for", async ({
    sandbox,
  }) => {
    sandbox.write("lib/a.mjs", "");
    const gwpm = await start(sandbox, { watch: ["lib", "later"] });
    const text = `Cannot watch ${sandbox.path("later")}: it is not there; it will be watched once it is`;
    await gwpm.events.waitFor({ type: "warning", pool: "web", text });
    rmSync(sandbox.path("lib"), { recursive: true });
    let { seq } = await nextReload(gwpm, 0);
    for (const name of ["lib", "later"]) {
      sandbox.write(`${name}/b.mjs`, "");
      ({ seq } = await nextReload(gwpm, seq));
      sandbox.write(`${name}/b.mjs`, "// changed");
      const reload = await nextReload(gwpm, seq);
      expect(reload.by).toBe(`a change of ${sandbox.path(name, "b.mjs")}`);
      ({ seq } = reload);
    }
  });
});

describe("the configuration", () => {
  const configOf = (gwpm: Gwpm) => JSON.parse(readFileSync(gwpm.configFile, "utf8")) as { pools: object[] };

  test("is read again when its file is among the watched ones", async ({ sandbox }) => {
    sandbox.write("app.mjs", "export default (req, res) => res.end(process.env.WORD ?? 'none');");
    const gwpm = await start(sandbox, { script: "./app.mjs", cwd: "." });
    expect(await body(gwpm)).toBe("none");
    const config = configOf(gwpm);
    const change = (pool: object) =>
      sandbox.write("ecosystem.json", { ...config, pools: [{ ...config.pools[0], ...pool }] });
    change({ env: { WORD: "some" } });
    const { by, seq } = await nextReload(gwpm, 0);
    expect(by).toBe("a change of ecosystem.json");
    expect(await body(gwpm)).toBe("some");
    gwpm.expectErrors(/rejected/);
    change({ workers: "many" });
    await gwpm.events.waitFor({ type: "config-rejected" }, { after: seq });
    change({ env: { WORD: "more" } });
    await nextReload(gwpm, seq);
    expect(await body(gwpm)).toBe("more");
  });

  test("turns watching on, elsewhere and off", async ({ sandbox }) => {
    const gwpm = await start(sandbox, { watch: false });
    const config = configOf(gwpm);
    const watch = async (value: unknown) => {
      sandbox.write("ecosystem.json", { ...config, pools: [{ ...config.pools[0], watch: value }] });
      expect(await gwpm.run(["reload"])).toMatchObject({ code: 0 });
      return gwpm.events.mark;
    };
    sandbox.write("app/app.mjs", say("two"));
    await watch(true);
    expect(await quiet(sandbox, gwpm, "app/a.mjs")).toBe("a change of a.mjs");
    await watch(["other"]);
    sandbox.write("app/a.mjs", "// not watched");
    sandbox.write("other/a.mjs", "");
    const { by, seq } = await nextReload(gwpm, gwpm.events.mark);
    expect(by).toBe(`a change of ${sandbox.path("other")}`);
    await watch(false);
    expect(inotifyWatches(gwpm.pid)).toBe(0);
    expect(gwpm.events.select({ type: "reload-started" }).filter((event) => event.seq > seq)).toMatchObject([
      { by: "the operator" },
    ]);
  });

  test("without its pool ends the pool and its watcher", async ({ sandbox }) => {
    sandbox.write("app/app.mjs", say("one"));
    const gwpm = await start(sandbox, { cwd: "." });
    const config = configOf(gwpm);
    const next = { ...config.pools[0], name: "next", listen: "unix:./next.sock", watch: false };
    sandbox.write("ecosystem.json", { ...config, pools: [next] });
    await gwpm.events.waitFor({ type: "pool-ready", pool: "next" });
    await gwpm.events.waitFor({ type: "pool-stopped", pool: "web" });
    await gwpm.run(["reload"]);
    expect(inotifyWatches(gwpm.pid)).toBe(0);
  });
});

test("a touched file every so often under load loses no request", async ({ sandbox }) => {
  const handledFile = sandbox.path("handled");
  sandbox.write("app/app.mjs", readFileSync(app("ledger.mjs"), "utf8"));
  const gwpm = await startGwpm(sandbox, {
    config: {
      pools: [
        {
          ...{ name: "web", script: "./app/app.mjs", cwd: "./app", listen: "unix:./web.sock", workers: 2 },
          ...{ watch: true, env: { LEDGER_FILE: handledFile } },
        },
      ],
    },
  });
  const ledger = new Ledger({ send: socketSender(await addressOf(gwpm, "web")), handledFile });
  for (let after = 0, round = 0; round < 5; round++) {
    await ledger.answers(100);
    const now = new Date();
    utimesSync(sandbox.path("app", "app.mjs"), now, now);
    const reload = await nextReload(gwpm, after);
    expect(reload).toMatchObject({ by: "a change of app.mjs", result: "ok" });
    after = reload.seq;
  }
  await ledger.answers(100);
  const { sent, ...report } = await ledger.stop();
  expect(report).toEqual({ answered: sent, lost: [], mixedUp: [], miscounted: [] });
});

test("gwpm run --watch serves what is saved, and ends when it is told to", async ({ sandbox }) => {
  const file = sandbox.write("hello.mjs", say("one"));
  const child = await spawnGwpm(sandbox, ["run", file, "-n", "1", "--http", "127.0.0.1:0", "--watch"]);
  const line = await child.stdout.waitFor(/hello is ready/, { what: "it to be ready" });
  const url = /http:\/\/\S+/.exec(line)![0];
  expect(await (await fetch(url)).text()).toBe("one");
  sandbox.write("hello.mjs", say("two"));
  await child.stdout.waitFor(/asked by a change of hello\.mjs/, { what: "the change to be noticed" });
  await child.stdout.waitFor(/rolled to generation 2/, { what: "the reload" });
  expect(await (await fetch(url)).text()).toBe("two");
  child.kill("SIGTERM");
  expect(await child.wait()).toMatchObject({ code: 0 });
});

/** Changes a file that is watched and waits for the reload of it: by then, whatever was to be noticed before has been. */
async function quiet(sandbox: Sandbox, gwpm: Gwpm, file: string): Promise<string> {
  const mark = gwpm.events.mark;
  sandbox.write(file, `// ${mark}`);
  return (await nextReload(gwpm, mark)).by;
}

/** How many files and folders a process has the kernel watch for it: proc(5), /proc/pid/fdinfo. */
function inotifyWatches(pid: number): number {
  const folder = `/proc/${pid}/fdinfo`;
  const texts = readdirSync(folder).map((fd) => {
    try {
      return readFileSync(`${folder}/${fd}`, "utf8");
    } catch {
      return "";
    }
  });
  return texts.join("").match(/^inotify /gm)?.length ?? 0;
}
