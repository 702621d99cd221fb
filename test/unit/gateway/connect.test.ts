/** Each way in which a socket cannot be reached, and the words for it. */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { type Address, formatAddress } from "../../../src/core/address.ts";
import { GatewayClient, type GatewayProtocol } from "../../../src/gateway/client.ts";
import { connectError } from "../../../src/gateway/errors.ts";
import { closeListener, openListener } from "../../../src/system/sockets.ts";
import { freePort } from "../../support/ports.ts";
import type { Sandbox } from "../../support/sandbox.ts";
import { describe, expect, test } from "../../support/test.ts";
import { failureOf } from "./failure-of.ts";
import { fullQueue } from "./full-queue.ts";

const PROTOCOLS: readonly GatewayProtocol[] = ["fastcgi", "scgi", "http"];

describe.for(PROTOCOLS)("%s", (protocol) => {
  const failureAt = (address: Address, connectMs = 5_000) =>
    failureOf(new GatewayClient({ address, protocol, timeouts: { connectMs } }).request({ uri: "/" }));

  test("no socket", async ({ sandbox }) => {
    const path = sandbox.path("none.sock");
    const error = await failureAt({ kind: "unix", path });
    expect(error.code).toBe("GWPM_NO_SOCKET");
    expect(error.message).toBe(`Cannot reach unix:${path}: no such file; is the pool running?`);
  });

  test("a socket that nobody serves", async ({ sandbox }) => {
    const address = await abandonedSocket(sandbox);
    const error = await failureAt(address);
    expect(error.code).toBe("GWPM_REFUSED");
    expect(error.message).toContain(formatAddress(address));
  });

  test("a port that nobody serves", async () => {
    const error = await failureAt({ kind: "tcp", host: "127.0.0.1", port: await freePort(), family: 4 });
    expect(error.code).toBe("GWPM_REFUSED");
    expect(error.message).toMatch(/^Cannot reach 127\.0\.0\.1:\d+: connection refused/);
  });

  test("a file that is no socket, and a folder", async ({ sandbox }) => {
    writeFileSync(sandbox.path("file"), "");
    mkdirSync(sandbox.path("folder"));
    for (const path of [sandbox.path("file"), sandbox.path("folder")]) {
      expect((await failureAt({ kind: "unix", path })).code).toBe("GWPM_REFUSED");
    }
  });

  test("a path that is too long for a socket", async ({ sandbox }) => {
    const error = await failureAt({ kind: "unix", path: sandbox.path("x".repeat(120)) });
    expect(error.code).toBe("GWPM_NO_SOCKET");
    expect(error.message).toContain("107 bytes");
  });

  test("a full accept queue of a Unix socket", async ({ sandbox }) => {
    const address = await fullQueue(sandbox, { kind: "unix", path: sandbox.path("full.sock") });
    const error = await failureAt(address);
    expect(error.code).toBe("GWPM_QUEUE_FULL");
    expect(error.message).toContain("backlog");
  });

  test("a full accept queue of a port, where connections just do not come about", async ({ sandbox }) => {
    const address = await fullQueue(sandbox, { kind: "tcp", host: "127.0.0.1", port: 0, family: 4 });
    const error = await failureAt(address, 50);
    expect(error.code).toBe("GWPM_TIMED_OUT");
    expect(error.message).toContain("50 ms waiting for a connection");
  });

  test("an abort while connecting, and one before", async ({ sandbox }) => {
    const address = await fullQueue(sandbox, { kind: "tcp", host: "127.0.0.1", port: 0, family: 4 });
    const client = new GatewayClient({ address, protocol });
    const abort = new AbortController();
    const attempt = failureOf(client.request({ uri: "/", signal: abort.signal }));
    setImmediate(() => abort.abort());
    expect((await attempt).code).toBe("GWPM_ABORTED");
    expect((await failureOf(client.request({ uri: "/", signal: abort.signal }))).code).toBe("GWPM_ABORTED");
    expect((await failureOf(client.request({ uri: "/", timeoutMs: 20 }))).code).toBe("GWPM_TIMED_OUT");
  });
});

test.for([
  ["EACCES", "GWPM_NOT_PERMITTED"],
  ["EPERM", "GWPM_NOT_PERMITTED"],
  ["EHOSTUNREACH", "GWPM_UNREACHABLE"],
  ["EMFILE", "GWPM_UNREACHABLE"],
  ["EWHATEVER", "GWPM_UNREACHABLE"],
])("%s is told as %s", ([errno, code]) => {
  const address: Address = { kind: "unix", path: "/run/x.sock" };
  const error = connectError(address, Object.assign(new Error(`connect ${errno}`), { code: errno }));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(/^Cannot reach unix:\/run\/x\.sock: ./);
});

/** A socket file whose owner has gone without removing it. */
async function abandonedSocket(sandbox: Sandbox): Promise<Address> {
  const { fd, address } = await openListener(
    { kind: "unix", path: sandbox.path("dead.sock") },
    { backlog: 1 },
  );
  closeListener(fd);
  sandbox.defer(() => removeSocket(address));
  return address;
}

function removeSocket(address: Address): void {
  if (address.kind === "unix") rmSync(address.path, { force: true });
}
