import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Address, parseAddress } from "../../../src/core/address.ts";
import { makeFifo, openFifo, openFifoForWorker, readAvailable } from "../../../src/system/fifo.ts";
import { tryLock } from "../../../src/system/lock.ts";
import { duplicateFdOf } from "../../../src/system/pidfd.ts";
import { isAlive, startTimeOf } from "../../../src/system/procfs.ts";
import {
  adjustListener,
  boundAddress,
  closeListener,
  isServed,
  openListener,
} from "../../../src/system/sockets.ts";

let folder: string;
const open: number[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(join(os.tmpdir(), "gwpm-sys-"));
});
afterEach(() => {
  for (const fd of open.splice(0)) closeListener(fd);
  fs.rmSync(folder, { recursive: true, force: true });
});

async function listen(text: string, options = {}): Promise<{ fd: number; address: Address }> {
  const opened = await openListener(parseAddress(text), { backlog: 16, ...options });
  open.push(opened.fd);
  return opened;
}

/** Connects and lets a Node server on the fd answer, which is what a worker does. */
async function greet(fd: number, target: net.NetConnectOpts): Promise<string> {
  const server = net.createServer((socket) => socket.end("hello"));
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  const chunks: Buffer[] = [];
  for await (const chunk of net.connect(target)) chunks.push(chunk as Buffer);
  await new Promise((resolve) => server.close(resolve));
  open.splice(open.indexOf(fd), 1); // the server has closed it
  return Buffer.concat(chunks).toString();
}

describe("openListener()", () => {
  test("serves a Unix socket with the mode asked for, under the name asked for", async () => {
    const path = join(folder, "app.sock");
    const { fd } = await listen(`unix:${path}`, { mode: 0o640 });
    expect(fs.statSync(path).mode & 0o777).toBe(0o640);
    expect(fs.readdirSync(folder)).toEqual(["app.sock"]);
    expect(await greet(fd, { path })).toBe("hello");
  });

  test.each([["127.0.0.1:0"], ["[::1]:0"]])("serves %s and tells the real port", async (text) => {
    const { fd, address } = await listen(text);
    if (address.kind !== "tcp") throw new Error("expected a TCP address");
    expect(address.port).toBeGreaterThan(0);
    expect(boundAddress(fd)).toEqual(address);
    expect(await greet(fd, { host: address.host, port: address.port })).toBe("hello");
  });

  test("queues a connection that comes before anybody accepts", async () => {
    const path = join(folder, "q.sock");
    const { fd } = await listen(`unix:${path}`);
    const early = net.connect({ path });
    await new Promise((resolve) => early.once("connect", resolve));
    const received = new Promise<string>((resolve) =>
      early.once("data", (d: Buffer) => resolve(d.toString())),
    );
    await greet(fd, { path });
    expect(await received).toBe("hello");
  });

  test("replaces a socket file that nobody serves", async () => {
    const path = join(folder, "stale.sock");
    closeListener((await openListener(parseAddress(path), { backlog: 1 })).fd);
    expect(fs.existsSync(path)).toBe(true);
    await listen(`unix:${path}`);
    expect(await isServed(parseAddress(path))).toBe(true);
  });

  test("leaves a live stranger's socket alone, even one whose queue is full", async () => {
    const path = join(folder, "live.sock");
    await listen(`unix:${path}`, { backlog: 0 });
    const filler = [net.connect({ path }), net.connect({ path })];
    for (const socket of filler) socket.on("error", () => {}); // one of them finds the queue full
    await expect(listen(`unix:${path}`)).rejects.toThrow(/another process serves this socket; stop it/);
    for (const socket of filler) socket.destroy();
  });

  test("says what is wrong with a path", async () => {
    fs.writeFileSync(join(folder, "file"), "mine");
    await expect(listen(`unix:${join(folder, "file")}`)).rejects.toMatchObject({ code: "GWPM_NOT_A_SOCKET" });
    expect(fs.readFileSync(join(folder, "file"), "utf8")).toBe("mine");
    await expect(listen(`unix:${join(folder, "missing", "a.sock")}`)).rejects.toThrow(
      /folder .*missing does not exist/,
    );
    await expect(listen(`unix:${join(folder, "x".repeat(120))}`)).rejects.toThrow(
      /the path has \d+ bytes and the system allows 107/,
    );
  });

  test("says that a port is taken", async () => {
    const { address } = await listen("127.0.0.1:0");
    if (address.kind !== "tcp") throw new Error("expected a TCP address");
    await expect(listen(`127.0.0.1:${address.port}`)).rejects.toMatchObject({ code: "GWPM_ADDRESS_IN_USE" });
  });

  test("a path of exactly 107 bytes works", async () => {
    const path = join(folder, "x".repeat(107 - folder.length - 1));
    const { fd } = await listen(`unix:${path}`);
    expect(await greet(fd, { path })).toBe("hello");
  });
});

describe("adjustListener()", () => {
  test("changes the mode of an open socket", async () => {
    const path = join(folder, "m.sock");
    const { fd, address } = await listen(`unix:${path}`, { mode: 0o600 });
    adjustListener(fd, address, { backlog: 99, mode: 0o666 });
    expect(fs.statSync(path).mode & 0o777).toBe(0o666);
  });
});

describe.runIf(process.platform === "linux")("duplicateFdOf()", () => {
  test("takes a listening socket back from the process that holds it", async () => {
    const { fd, address } = await listen("127.0.0.1:0");
    const holder = spawn("sleep", ["60"], { stdio: [fd, "ignore", "ignore"] });
    const copy = duplicateFdOf(holder.pid!, 0);
    open.push(copy);
    holder.kill("SIGKILL");
    expect(boundAddress(copy)).toEqual(address);
    const plain = fs.openSync("/dev/null", "r");
    expect(boundAddress(plain)).toBeUndefined();
    fs.closeSync(plain);
  });
});

describe("tryLock()", () => {
  test("gives the lock to one holder and frees it on close", () => {
    const path = join(folder, "lock");
    const first = tryLock(path);
    expect(first).toBeTypeOf("number");
    expect(tryLock(path)).toBeUndefined();
    fs.closeSync(first!);
    const second = tryLock(path);
    expect(second).toBeTypeOf("number");
    fs.closeSync(second!);
  });
});

describe("named pipes", () => {
  test("keep what was written while nobody read, and never end", () => {
    const path = join(folder, "out");
    makeFifo(path);
    const writer = openFifoForWorker(path);
    fs.writeSync(writer, "before\n");
    const reader = openFifo(path);
    const seen: string[] = [];
    readAvailable(reader, (chunk) => seen.push(chunk.toString()));
    fs.closeSync(writer);
    readAvailable(reader, (chunk) => seen.push(chunk.toString()));
    expect(seen).toEqual(["before\n"]);
    fs.closeSync(reader);
  });
});

describe.runIf(process.platform === "linux")("procfs", () => {
  test("tells a process from a later one with the same pid", () => {
    const startTime = startTimeOf(process.pid)!;
    expect(isAlive(process.pid, startTime)).toBe(true);
    expect(isAlive(process.pid, startTime + 1)).toBe(false);
    expect(startTimeOf(2 ** 22 + 1)).toBeUndefined();
  });
});
