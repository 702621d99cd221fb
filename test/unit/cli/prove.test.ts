/** `gwpm prove` before a supervisor and an application that do exactly what a test tells them. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { main } from "../../../src/cli/main.ts";
import type { ProcessStatus } from "../../../src/control/messages.ts";
import { OperationError } from "../../../src/control/target.ts";
import { NOBODY, poolOf, type Rig, startRig, statusOf, verdictOf } from "../control/fake-target.ts";
import { type CapturedIo, captureIo } from "./captured-io.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, number: number) => void;

let rig: Rig;
let io: CapturedIo;
let handler: Handler;
let app: Server;
let url: string;
let seen: IncomingMessage[];

beforeEach(async () => {
  rig = await startRig();
  io = captureIo(rig.dir);
  seen = [];
  handler = (_request, response) => response.end("plain");
  app = createServer((request, response) => {
    seen.push(request);
    request.resume().on("end", () => {
      handler(request, response, Number(String(request.headers["x-gwpm-prove"]).split("-")[1]));
    });
  });
  await once(app.listen(0, "127.0.0.1"), "listening");
  const { port } = app.address() as { port: number };
  url = `http://127.0.0.1:${port}`;
  rig.target.document = statusOf([poolOf("web", { protocol: "http", listen: [`127.0.0.1:${port}`] })]);
});
afterEach(async () => {
  app.closeAllConnections();
  app.close();
  await rig.close();
});

const gwpm = (...argv: string[]) => main(argv, io);

async function prove(...flags: string[]): Promise<{ code: number; document: Record<string, unknown> }> {
  const code = await gwpm("prove", "web", "--json", "--for", "250ms", ...flags);
  expect(io.stderr.text).toBe("");
  return { code, document: JSON.parse(io.stdout.text) };
}

/** An application that knows of prove; unless told otherwise, one without faults. */
function tell(
  response: ServerResponse,
  request: IncomingMessage,
  { name = String(request.headers["x-gwpm-prove"]), count = 1 } = {},
): void {
  response.writeHead(200, { "X-Gwpm-Prove": name, "X-Gwpm-Prove-Count": count }).end("ok");
}
const echo: Handler = (request, response) => tell(response, request);

describe("what is sent", () => {
  test("GETs and POSTs, each named in header, query and body, kept alive and not", async () => {
    const bodies = new Map<string, string>();
    handler = (request, response) => response.end(`hello ${request.url}`);
    app.on("request", async (request: IncomingMessage) => {
      const name = String(request.headers["x-gwpm-prove"]);
      for await (const chunk of request) bodies.set(name, (bodies.get(name) ?? "") + chunk);
    });
    const { document } = await prove("--uri", "/a?b=c", "--body", "100B");
    expect(seen.length).toBe(document.sent);
    const kinds = new Set(seen.map(({ method, headers }) => `${method} ${headers.connection}`));
    expect([...kinds].toSorted()).toEqual(["GET close", "GET keep-alive", "POST close", "POST keep-alive"]);
    for (const { method, url: target, headers } of seen) {
      const name = String(headers["x-gwpm-prove"]);
      expect(name).toMatch(/^[0-9a-f]{8}-\d+$/);
      expect(target).toBe(`/a?b=c&gwpm-prove=${name}`);
      expect(headers["content-length"]).toBe(method === "POST" ? "100" : undefined);
      if (method === "POST") expect(bodies.get(name)).toBe(`${name}\n`.repeat(20).slice(0, 100));
    }
  });

  test("GETs only, each on a connection of its own", async () => {
    await prove("--body", "0", "--no-keep-alive");
    expect(new Set(seen.map(({ method, headers }) => `${method} ${headers.connection}`))).toEqual(
      new Set(["GET close"]),
    );
  });

  test("no more a second than were asked for", async () => {
    const { document } = await prove("--rate", "40", "--clients", "50");
    expect(document.sent).toBeGreaterThan(1);
    // One before the run, one at its very beginning, and then 40 a second.
    expect(document.sent).toBeLessThanOrEqual(2 + ((document.tookMs as number) * 40) / 1000);
  });

  test("no more at a time than there are clients", async () => {
    let most = 0;
    let active = 0;
    handler = (_request, response) => {
      most = Math.max(most, ++active);
      setTimeout(() => {
        active--;
        response.end();
      }, 10);
    };
    await prove("--clients", "3");
    expect(most).toBe(3);
  });
});

describe("the verdict", () => {
  test("on an application that tells nothing", async () => {
    const { code, document } = await prove();
    expect(code).toBe(0);
    expect(document).toMatchObject({
      passed: true,
      echoed: 0,
      duplicated: null,
      lost: 0,
      via: [url.slice(7)],
    });
  });

  test("on one that echoes and counts", async () => {
    handler = echo;
    const { code, document } = await prove("--expect-echo");
    expect(code).toBe(0);
    expect(document).toMatchObject({ duplicated: 0, echoed: document.sent, answered: document.sent });
  });

  test("on one that handled a request twice: 1", async () => {
    handler = (request, response, number) => tell(response, request, { count: number === 7 ? 2 : 1 });
    const { code, document } = await prove();
    expect(code).toBe(1);
    expect(document).toMatchObject({ passed: false, lost: 0, duplicated: 1 });
  });

  test("on one that mixes answers up: 1", async () => {
    handler = (request, response, number) => {
      if (number === 5) tell(response, request, { name: "another-4" });
      else tell(response, request);
    };
    const { code, document } = await prove();
    expect(code).toBe(1);
    expect(document).toMatchObject({ mixedUp: 1, losses: [{ number: 5 }] });
  });

  test("on one that hangs up: 1, told for people, too", async () => {
    handler = (request, response, number) => {
      if (number === 3) request.socket.destroy();
      else response.end();
    };
    expect(await gwpm("prove", "web", "--for", "250ms")).toBe(1);
    expect(io.stdout.text).toMatch(/^ {2}lost +1$/m);
    expect(io.stdout.text).toMatch(
      /^ {2}request 3, after \d+ ms: .* closed the connection before it answered/m,
    );
    expect(io.stdout.text).toContain("duplicated         unknown");
    expect(io.stdout.text).toMatch(/failed: 1 request did not get an answer\n$/);
  });

  test("on one that takes too long: 1", async () => {
    handler = (_request, response, number) => {
      if (number !== 4) response.end();
    };
    const { code, document } = await prove("--timeout", "1s");
    expect(code).toBe(1);
    expect(document).toMatchObject({ lost: 1, losses: [{ number: 4 }] });
  });

  test("on answers that the application did not give: 1", async () => {
    handler = (request, response, number) => {
      if (number === 6) response.writeHead(500).end("somebody else");
      else echo(request, response, number);
    };
    const { code, document } = await prove("--expect-echo");
    expect(code).toBe(1);
    expect(document).toMatchObject({ lost: 1, losses: [{ number: 6 }] });
  });

  test.each([502, 503, 504])("a front end's %i is no answer", async (status) => {
    handler = (_request, response, number) => response.writeHead(number === 5 ? status : 200).end();
    const { code, document } = await prove("--url", url);
    expect(code).toBe(1);
    const reason = `the front end answered ${status}`;
    expect(document).toMatchObject({ via: [url], lost: 1, losses: [{ number: 5, reason }] });
  });

  test("the application's own 503 is one", async () => {
    handler = (_request, response, number) => response.writeHead(number === 5 ? 503 : 200).end();
    const { code, document } = await prove();
    expect(code).toBe(0);
    expect(document).toMatchObject({ lost: 0, statuses: { 503: 1 } });
  });
});

describe("reloads", () => {
  test("are asked for, for this pool, and counted", async () => {
    const { code, document } = await prove("--reload-every", "100ms");
    expect(code).toBe(0);
    const { calls } = rig.target;
    expect(calls.length).toBeGreaterThan(0);
    expect(calls).toEqual(calls.map(() => ["reload", { pools: ["web"] }]));
    expect(document.reloads).toMatchObject({ ok: calls.length, rolledBack: 0, failed: 0 });
  });

  test("one that was begun is waited for, under load", async () => {
    const startedAt = performance.now();
    let open = (): void => {};
    rig.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    handler = (_request, response) => {
      response.end();
      // The run was to last 250 ms: only a request beyond that lets the reload come to its end.
      if (performance.now() - startedAt > 400) open();
    };
    const { code, document } = await prove("--reload-every", "50ms");
    expect(code).toBe(0);
    expect(document).toMatchObject({ reloads: { ok: 1 }, lost: 0 });
  });

  test("rolled back: 6", async () => {
    rig.target.verdict = { pools: [verdictOf("web", "rolled-back")] };
    const { code, document } = await prove("--reload-every", "200ms");
    expect(code).toBe(6);
    expect(document).toMatchObject({ passed: false, lost: 0, reloads: { ok: 0, rolledBack: 1, failed: 0 } });
  });

  test("refused: 1, with the supervisor's words", async () => {
    rig.target.reload = async () => {
      throw new OperationError("GWPM_BUSY", "an upgrade is under way");
    };
    const { code, document } = await prove("--reload-every", "200ms");
    expect(code).toBe(1);
    expect(document).toMatchObject({ reloads: { failed: 1 }, problems: ["an upgrade is under way"] });
  });
});

describe("kills", () => {
  let worker: ChildProcess;
  beforeEach(async () => {
    worker = spawn("sleep", ["60"], { stdio: "ignore" });
    await once(worker, "spawn");
  });
  afterEach(() => worker.kill("SIGKILL"));

  /** A supervisor with one worker: ours. */
  function pretend(supervisor: number, changes: Partial<ProcessStatus> = {}): void {
    const [pool] = rig.target.document.pools;
    const process = { ...pool!.processes[0]!, pid: worker.pid!, state: "ready" as const, ...changes };
    const document = statusOf([{ ...pool!, processes: [process] }]);
    rig.target.document = { ...document, supervisor: { ...document.supervisor, pid: supervisor } };
  }

  test("strike a ready worker, once for each that was there", async () => {
    pretend(process.pid);
    const { code, document } = await prove("--kill-every", "100ms");
    expect(worker.signalCode).toBe("SIGKILL");
    expect(document).toMatchObject({ kills: 1, lost: 0, problems: [] });
    expect(code).toBe(0);
  });

  test("strike none that is not ready", async () => {
    pretend(process.pid, { state: "draining" });
    const { code, document } = await prove("--kill-every", "100ms");
    expect({ code, kills: document.kills }).toEqual({ code: 0, kills: 0 });
    expect(worker.signalCode).toBeNull();
  });

  test("strike nothing that is not the supervisor's child", async () => {
    pretend(NOBODY);
    expect(await gwpm("prove", "web", "--for", "10s", "--kill-every", "50ms")).toBe(1);
    expect(io.stderr.text).toContain(
      `process ${worker.pid} is not a child of the supervisor (pid ${NOBODY})`,
    );
    expect(worker.signalCode).toBeNull();
  });
});

describe("before it begins", () => {
  test("an unknown pool is an error that names the one that was meant", async () => {
    expect(await gwpm("prove", "wbe")).toBe(1);
    expect(io.stderr.text).toBe('gwpm: there is no pool "wbe"\nDid you mean "web"?\n');
  });

  test("a socket that is not there is an error, not ten seconds of losses", async () => {
    rig.target.document = statusOf([poolOf("web", { listen: [`unix:${join(rig.dir, "none.sock")}`] })]);
    expect(await gwpm("prove", "web")).toBe(1);
    expect(io.stderr.text).toContain("none.sock: no such file; is the pool running?");
    expect(io.stdout.text).toBe("");
  });

  test("a usage error is found before anything is asked for", async () => {
    expect(await gwpm("prove", "web", "--rate", "fast")).toBe(2);
    expect(io.stderr.text).toContain("prove: --rate fast is not a whole number");
    expect(seen).toEqual([]);
  });
});

test("on a terminal a bar shows how far it is, and goes away", async () => {
  io = captureIo(rig.dir, 100);
  expect(await gwpm("prove", "web", "--for", "450ms", "--reload-every", "150ms")).toBe(0);
  expect(io.stderr.text).toMatch(/\[#+-*\] \d+ ms of 450 ms · [\d,]+ sent · 0 lost/);
  expect(io.stderr.text).toMatch(/\r\u001b\[2K$/);
  expect(io.stdout.text).toMatch(/^web: /);
});
