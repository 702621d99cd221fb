/** The worker runtime as its supervisor runs it: from the environment, over the control channel, to its end. */

import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/paths.ts";
import { describe, expect, test } from "../support/test.ts";
import { Worker } from "../support/worker.ts";

const READS_TYPESCRIPT = "typescript" in process.features && process.features.typescript !== false;

const HELLO = `
  export default (request, response) => {
    response.end(JSON.stringify({ argv: process.argv.slice(1), fds: process.env.GWPM_LISTEN_FDS ?? null, url: request.url }));
  };`;

/** GET /slow is answered when the channel says "go". */
const SLOW = `
  const go = new Promise((resolve) => process.on("message", (message) => { if (message === "go") resolve(); }));
  export default async (request, response) => {
    if (request.url === "/slow") { console.log("slow began"); await go; }
    if (request.url === "/print") for (let i = 0; i < 1000; i++) console.log("x".repeat(1000));
    response.end("done " + request.url);
  };`;

describe("a script", () => {
  test("sees itself in argv, serves all its sockets, and says that it is ready", async ({ sandbox }) => {
    const script = sandbox.write("app.mjs", HELLO);
    const worker = await Worker.start(sandbox, script, { sockets: 2 });
    await worker.ready();
    const seen = { argv: [script, "one", "--two"], fds: "0,4", url: "/x" };
    for (const socket of [0, 1]) {
      const [status, text] = await worker.ask("/x", { socket });
      expect([status, JSON.parse(text)]).toEqual([200, seen]);
    }
  });

  test.for(["scgi", "http"] as const)("serves %s where its pool says so", async (protocol, { sandbox }) => {
    const worker = await Worker.start(sandbox, sandbox.write("app.mjs", HELLO), { protocol });
    await worker.ready();
    expect((await worker.ask("/"))[0]).toBe(200);
  });

  test("may be CommonJS, and find gwpm though none is installed", async ({ sandbox }) => {
    const script = sandbox.write("app.cjs", `require("gwpm").serve((q, s) => s.end("common"));`);
    const worker = await Worker.start(sandbox, script);
    await worker.ready();
    expect(await worker.ask("/")).toEqual([200, "common"]);
  });

  test("may serve by itself, later, with a gwpm that nobody installed", async ({ sandbox }) => {
    const script = sandbox.write(
      "app.mjs",
      `import { serve } from "gwpm";
       setTimeout(() => serve((request, response) => response.end("later")), 20);`,
    );
    const worker = await Worker.start(sandbox, script);
    await worker.ready();
    expect(await worker.ask("/")).toEqual([200, "later"]);
  });

  test("may leave the serving to another of its files", async ({ sandbox }) => {
    sandbox.write("lib/deep.mjs", `export { serve } from "gwpm";`);
    sandbox.write("lib/server.mjs", `import { serve } from "./deep.mjs"; serve((q, s) => s.end("deep"));`);
    const worker = await Worker.start(sandbox, sandbox.write("app.mjs", `import "./lib/server.mjs";`));
    await worker.ready();
    expect(await worker.ask("/")).toEqual([200, "deep"]);
  });

  test("may bring a gwpm of its own, which leaves the serving to the supervisor's", async ({ sandbox }) => {
    sandbox.write("node_modules/gwpm/package.json", {
      name: "gwpm",
      type: "module",
      exports: "./dist/src/index.js",
    });
    cpSync(join(ROOT, "dist"), sandbox.path("node_modules/gwpm/dist"), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), sandbox.path("node_modules/gwpm/node_modules"));
    const script = sandbox.write(
      "app.mjs",
      `import { serve } from "gwpm";
       console.log(import.meta.resolve("gwpm"));
       serve((request, response) => response.end("own"));
       try { serve(() => {}); } catch (error) { console.log(error.message); }`,
    );
    const worker = await Worker.start(sandbox, script);
    await worker.ready();
    expect(await worker.ask("/")).toEqual([200, "own"]);
    expect(worker.stdout.all[0]).toContain(sandbox.dir);
    expect(worker.stdout.all[1]).toMatch(/serve\(\) has been called already/);
  });

  test("that exports nothing and serves nothing is told what to do", async ({ sandbox }) => {
    const script = sandbox.write("app.mjs", "export const unrelated = 1;");
    const worker = await Worker.start(sandbox, script);
    expect(await worker.end()).toEqual({ code: 1, signal: null });
    expect(worker.stderr.text).toContain(
      `gwpm: ${script} has ended without serving anything; export default`,
    );
  });

  test("that exports what is no handler is told so", async ({ sandbox }) => {
    const script = sandbox.write("app.mjs", "export default { port: 3000 };");
    const worker = await Worker.start(sandbox, script);
    expect(await worker.end()).toEqual({ code: 1, signal: null });
    expect(worker.stderr.text).toContain("its default export is an object, which is no handler");
  });

  test("that does not exist is named", async ({ sandbox }) => {
    const worker = await Worker.start(sandbox, sandbox.path("nowhere.mjs"));
    expect(await worker.end()).toEqual({ code: 1, signal: null });
    expect(worker.stderr.text).toContain(`Cannot find the script ${sandbox.path("nowhere.mjs")}`);
  });

  test("that throws while it loads shows where", async ({ sandbox }) => {
    const worker = await Worker.start(sandbox, sandbox.write("app.mjs", `\nthrow new Error("no database");`));
    expect(await worker.end()).toEqual({ code: 1, signal: null });
    expect(worker.stderr.text).toMatch(/no database[\s\S]*app\.mjs:2/);
  });

  test("in TypeScript runs, or says what it needs to", async ({ sandbox }) => {
    const worker = await Worker.start(
      sandbox,
      sandbox.write(
        "app.mts",
        `const text: string = "typed"; export default (_: unknown, s: any) => s.end(text);`,
      ),
    );
    if (READS_TYPESCRIPT) {
      await worker.ready();
      expect(await worker.ask("/")).toEqual([200, "typed"]);
      return;
    }
    expect(await worker.end()).toEqual({ code: 1, signal: null });
    expect(worker.stderr.text).toMatch(
      /Use Node 22\.18 or later, or install tsx and set "nodeArgs": \["--import", "tsx"\]/,
    );
  });

  test("can ask to be recycled, once", async ({ sandbox }) => {
    const script = sandbox.write(
      "app.mjs",
      `export default (request, response) => {
         request.gateway.recycle("leaks " + request.url);
         response.end("ok");
       };`,
    );
    const worker = await Worker.start(sandbox, script);
    await worker.ready();
    await worker.ask("/1");
    await worker.ask("/2");
    await worker.said((message) => (message as { gwpm?: unknown }).gwpm === "recycle");
    expect(worker.messages).toEqual([
      { gwpm: "ready", handOver: true },
      { gwpm: "recycle", reason: "leaks /1" },
    ]);
  });

  test("whose handler throws goes on; one with an uncaught exception ends as any Node program", async ({
    sandbox,
  }) => {
    const script = sandbox.write(
      "app.mjs",
      `export default (request, response) => {
         if (request.url === "/throw") throw new Error("in the handler");
         if (request.url === "/crash") setTimeout(() => { throw new Error("outside of it"); });
         else response.end("fine");
       };`,
    );
    const worker = await Worker.start(sandbox, script);
    await worker.ready();
    expect(await worker.ask("/throw")).toEqual([500, "Internal Server Error\n"]);
    expect(await worker.ask("/")).toEqual([200, "fine"]);
    await expect(worker.ask("/crash")).rejects.toThrow();
    expect(await worker.end()).toEqual({ code: 1, signal: null });
    expect(worker.stderr.text).toMatch(/failed on GET \/throw: Error: in the handler[\s\S]*outside of it/);
  });
});

describe("to stop", () => {
  test.for([
    ["fastcgi", "message"],
    ["scgi", "message"],
    ["http", "message"],
    ["fastcgi", "SIGTERM"],
    ["http", "SIGINT"],
  ] as const)(
    "a %s worker told by %s finishes what is active and takes nothing new",
    async ([protocol, how], { sandbox }) => {
      const script = sandbox.write("app.mjs", SLOW);
      const worker = await Worker.start(sandbox, script, { protocol });
      await worker.ready();
      // A connection that is kept, and one that is busy.
      await worker.ask("/");
      const slow = await beginSlow(worker);
      if (how === "message") worker.process.send({ gwpm: "drain", deadlineMs: 10_000, idle: "close" });
      else worker.process.kill(how);
      await worker.refuses();
      worker.process.send("go");
      expect(await slow.answer).toEqual([200, "done /slow"]);
      expect(await worker.end()).toEqual({ code: 0, signal: null });
    },
  );

  test("a worker ends at its deadline, whatever is active", async ({ sandbox }) => {
    const worker = await Worker.start(sandbox, sandbox.write("app.mjs", SLOW));
    await worker.ready();
    const slow = await beginSlow(worker);
    worker.process.send({ gwpm: "drain", deadlineMs: 50, idle: "close" });
    expect(await worker.end()).toEqual({ code: 0, signal: null });
    await expect(slow.answer).rejects.toThrow();
  });

  test("a second signal ends it at once", async ({ sandbox }) => {
    const worker = await Worker.start(sandbox, sandbox.write("app.mjs", SLOW));
    await worker.ready();
    const slow = await beginSlow(worker);
    worker.process.kill("SIGTERM");
    await worker.refuses();
    worker.process.kill("SIGTERM");
    expect(await worker.end()).toEqual({ code: 1, signal: null });
    await expect(slow.answer).rejects.toThrow();
  });

  test("a fastify app is closed in the end", async ({ sandbox }) => {
    symlinkSync(join(ROOT, "node_modules"), sandbox.path("node_modules"));
    const script = sandbox.write(
      "app.mjs",
      `import fastify from "fastify";
       const app = fastify();
       app.get("/", () => "hello");
       app.addHook("onClose", async () => console.log("closed"));
       export default app;`,
    );
    const worker = await Worker.start(sandbox, script);
    await worker.ready();
    expect(await worker.ask("/")).toEqual([200, "hello"]);
    worker.process.kill("SIGTERM");
    expect(await worker.end()).toEqual({ code: 0, signal: null });
    expect(worker.stdout.all).toEqual(["closed"]);
  });
});

test("a worker whose supervisor has died serves on, also when it prints", async ({ sandbox }) => {
  const worker = await Worker.start(sandbox, sandbox.write("app.mjs", SLOW));
  await worker.ready();
  worker.process.disconnect();
  worker.process.stdout!.destroy();
  worker.process.stderr!.destroy();
  expect(await worker.ask("/print")).toEqual([200, "done /print"]);
  expect(await worker.ask("/")).toEqual([200, "done /"]);
  worker.process.kill("SIGTERM");
  expect(await worker.end()).toEqual({ code: 0, signal: null });
});

describe("without a supervisor", () => {
  const index = join(ROOT, "dist", "src", "index.js");
  const app = `import { serve } from ${JSON.stringify(index)};
    const served = serve((request, response) => response.end("hello"), { listen: "127.0.0.1:0" });
    await served.ready;`;

  test("a listening socket on fd 0 is served over FastCGI, as spawn-fcgi leaves it", async ({ sandbox }) => {
    const script = sandbox.write("app.mjs", `${app}\nconsole.log(served.address);`);
    const worker = await Worker.start(sandbox, script, { argv: [script], env: {}, channel: false });
    await worker.stdout.waitFor(/^fastcgi on fd 0$/, { what: "the address" });
    expect(await worker.ask("/")).toEqual([200, "hello"]);
  });

  test("it opens its own port, prints its URL, and ends on SIGTERM", async ({ sandbox }) => {
    const script = sandbox.write("app.mjs", app);
    const child = await sandbox.start([process.execPath, script]);
    const line = await child.stdout.waitFor(/^gwpm: serving http:/, { what: "the URL" });
    const response = await fetch(line.slice("gwpm: serving ".length));
    expect(await response.text()).toBe("hello");
    expect(await child.stop()).toEqual({ code: 0, signal: null });
  });
});

/** Resolves when the handler is at work; the answer comes later, and is not lost where it comes to nothing meanwhile. */
async function beginSlow(worker: Worker): Promise<{ answer: Promise<[number, string]> }> {
  const answer = worker.ask("/slow");
  answer.catch(() => {});
  await worker.stdout.waitFor(/slow began/, { what: "the slow request to begin" });
  return { answer };
}
