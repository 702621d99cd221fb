import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ControlClient, ControlError } from "../../../src/control/client.ts";
import { isRunning, livePid } from "../../../src/control/liveness.ts";
import { eventOf, NOBODY, pretendAlive, type Rig, startRig, tempDir } from "./fake-target.ts";

async function failureOf(work: Promise<unknown>): Promise<ControlError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ControlError);
  return error as ControlError;
}

describe("with a supervisor", () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig();
  });
  afterEach(() => rig.close());

  test("brings documents and sends bodies", async () => {
    expect(await rig.client.json("GET", "/v1/status")).toEqual(rig.target.document);
    await rig.client.longJson("POST", "/v1/restart", { pools: ["web"] });
    expect(rig.target.calls).toEqual([["restart", { pools: ["web"] }]]);
  });

  test("a problem becomes an error with its sentence and exit code", async () => {
    const error = await failureOf(rig.client.json("POST", "/v1/pools/wbe/recycle"));
    expect(error).toMatchObject({
      code: "GWPM_NO_SUCH_POOL",
      exitCode: 1,
      message: 'there is no pool "wbe"',
      problem: { status: 404 },
    });
  });

  test("streams lines, past and new", async () => {
    rig.target.past = [eventOf(1), eventOf(2, { pool: "é".repeat(50_000) })];
    const seen: number[] = [];
    for await (const line of rig.client.stream("/v1/events?follow=1")) {
      seen.push(JSON.parse(line).seq);
      if (seen.length === 2) rig.target.tell(eventOf(3));
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    while (rig.target.followers.size > 0) await new Promise(setImmediate);
  });

  test("a stream ends when it is told to", async () => {
    const stop = new AbortController();
    rig.target.past = [eventOf(1)];
    const seen: string[] = [];
    for await (const line of rig.client.stream("/v1/events?follow=1", stop.signal)) {
      seen.push(line);
      stop.abort();
    }
    expect(seen).toHaveLength(1);
  });

  test("a stream that breaks off is an error", async () => {
    rig.target.past = [eventOf(1)];
    const read = async () => {
      for await (const _line of rig.client.stream("/v1/events?follow=1")) rig.server.closeAllConnections();
    };
    expect(await failureOf(read())).toMatchObject({ code: "GWPM_CONNECTION_LOST", exitCode: 3 });
  });

  test("a refused stream is an error", async () => {
    const read = async () => {
      for await (const line of rig.client.stream("/v1/logs?pool=wbe")) expect(line).toBe("never");
    };
    expect(await failureOf(read())).toMatchObject({ code: "GWPM_NO_SUCH_POOL", exitCode: 1 });
  });
});

describe("without one", () => {
  let dir: string;
  let socketPath: string;
  let client: ControlClient;
  const sockets: Socket[] = [];
  let server: Server | undefined;

  beforeEach(() => {
    dir = tempDir();
    socketPath = join(dir, "control.sock");
    client = new ControlClient(socketPath, { answerTimeoutMs: 200 });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    if (server?.listening) await new Promise((resolve) => server!.close(resolve));
    server = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  async function listen(made: Server): Promise<void> {
    server = made.on("connection", (socket: Socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server!.listen(socketPath, resolve));
  }

  test("no socket", async () => {
    expect(await failureOf(client.json("GET", "/v1/status"))).toMatchObject({
      code: "GWPM_NO_SUPERVISOR",
      exitCode: 3,
      message: `no supervisor runs for ${dir}; start one with \`gwpm start\``,
    });
  });

  test("a run dir that is a file", async () => {
    writeFileSync(join(dir, "file"), "");
    const error = await failureOf(new ControlClient(join(dir, "file", "control.sock")).json("GET", "/"));
    expect(error).toMatchObject({ code: "GWPM_NO_SUPERVISOR", exitCode: 3 });
  });

  test("a socket that a dead supervisor left, and its pid", async () => {
    // A listener that ends with its process leaves its socket behind, as a supervisor does that is killed.
    const child = spawn(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 9))`,
    ]);
    await once(child, "exit");
    writeFileSync(join(dir, "gwpm.pid"), `${child.pid}\n`);
    expect(await failureOf(client.json("GET", "/v1/status"))).toMatchObject({ exitCode: 3 });
  });

  test("a live supervisor whose socket is gone", async () => {
    pretendAlive(dir);
    expect(await failureOf(client.json("GET", "/v1/status"))).toMatchObject({
      code: "GWPM_SILENT",
      exitCode: 7,
      message: `the supervisor (pid ${process.pid}) is alive but does not answer on ${socketPath} (ENOENT)`,
    });
  });

  test.each(["json", "longJson"] as const)("one that never answers: %s", async (method) => {
    pretendAlive(dir);
    await listen(createServer());
    expect(await failureOf(client[method]("POST", "/v1/stop"))).toMatchObject({
      code: "GWPM_SILENT",
      exitCode: 7,
      message: `the supervisor (pid ${process.pid}) is alive but did not answer on ${socketPath} within 0.2 s`,
    });
  });

  test("one that goes away in the middle", async () => {
    await listen(
      createServer((socket) => {
        socket.on("error", () => {});
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", () => socket.destroySoon());
      }),
    );
    expect(await failureOf(client.json("GET", "/v1/status"))).toMatchObject({
      code: "GWPM_CONNECTION_LOST",
      exitCode: 3,
    });
  });

  test.each([
    [200, "<html>"],
    [500, "oops"],
    [404, '{"error":"no"}'],
    [400, "null"],
  ])("what answers %i %s is something else", async (status, body) => {
    await listen(
      createHttpServer((_request, response) => {
        response.writeHead(status).end(body);
      }),
    );
    expect(await failureOf(client.json("GET", "/v1/status"))).toMatchObject({
      code: "GWPM_FOREIGN_ANSWER",
      exitCode: 1,
    });
  });
});

describe("liveness", () => {
  let dir: string;
  let child: ChildProcess | undefined;
  beforeEach(() => {
    dir = tempDir();
  });
  afterEach(() => {
    child?.kill("SIGKILL");
    child = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  const pidFile = (text: string): string => {
    const path = join(dir, "gwpm.pid");
    writeFileSync(path, text);
    return path;
  };

  test("a pid file names who lives", () => {
    expect(livePid(pidFile(`${process.pid}\n`))).toBe(process.pid);
    expect(livePid(pidFile(String(NOBODY)))).toBeNull();
    expect(livePid(join(dir, "missing"))).toBeNull();
  });

  test.each(["", "x", "0", "-1", "99999999999999999999"])("the pid file %j names nobody", (text) => {
    expect(livePid(pidFile(text))).toBeNull();
  });

  test.runIf(process.platform === "linux")("a pid that came again is not the one that wrote the file", () => {
    const path = pidFile(`${process.pid}`);
    utimesSync(path, 1_000_000_000, 1_000_000_000);
    expect(livePid(path)).toBeNull();
  });

  test.runIf(process.platform === "linux")("a zombie does not live", async () => {
    // The shell must have become `sleep`, which waits for nobody, before its child ends: a shell reaps.
    const script = "exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 60 3<&-";
    child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "ignore"] });
    const [chunk] = await once(child.stdout!, "data");
    const zombie = Number(String(chunk));
    while (readFileSync(`/proc/${child.pid}/comm`, "latin1") !== "sleep\n") await new Promise(setImmediate);
    child.stdin!.end();
    while (!readFileSync(`/proc/${zombie}/stat`, "latin1").includes(" Z ")) await new Promise(setImmediate);
    process.kill(zombie, 0);
    expect(isRunning(zombie)).toBe(false);
    expect(isRunning(child.pid!)).toBe(true);
  });
});
