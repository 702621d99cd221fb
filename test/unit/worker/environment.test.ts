import { describe, expect, test } from "vitest";
import { allowedClients } from "../../../src/worker/allowed-clients.ts";
import { DEFAULT_OPTIONS, readEnvironment } from "../../../src/worker/environment.ts";
import { isListeningSocket } from "../../../src/worker/inherited-socket.ts";

describe("the environment", () => {
  test("of a supervised worker is read", () => {
    const env = {
      GWPM_POOL: "web",
      GWPM_SLOT: "3",
      GWPM_LISTEN_FDS: "0,5,6",
      GWPM_PROTOCOL: "scgi",
      GWPM_SCOREBOARD_FD: "4",
      GWPM_OPTIONS: JSON.stringify({ stopMs: 5, wire: { basePath: "/app" } }),
      FCGI_WEB_SERVER_ADDRS: "192.0.2.1",
      PATH: "/bin",
    };
    expect(readEnvironment(env, () => true)).toEqual({
      kind: "supervised",
      listenFds: [0, 5, 6],
      protocol: "scgi",
      allowedClients: "192.0.2.1",
      scoreboardFd: 4,
      options: { ...DEFAULT_OPTIONS, stopMs: 5, wire: { ...DEFAULT_OPTIONS.wire, basePath: "/app" } },
    });
  });

  test("of a worker's child, which has the variables and not the sockets, is that of a program alone", () => {
    const env = { GWPM_LISTEN_FDS: "0,5", GWPM_PROTOCOL: "scgi", GWPM_SCOREBOARD_FD: "4" };
    expect(readEnvironment(env, () => false)).toMatchObject({
      kind: "alone",
      listenFds: [],
      protocol: undefined,
      scoreboardFd: undefined,
    });
  });

  test("of a program that runs alone leaves everything to its own options", () => {
    for (const env of [{}, { GWPM_PROTOCOL: "scgi" }]) {
      expect(readEnvironment(env)).toMatchObject({ kind: "alone", listenFds: [], protocol: undefined });
    }
  });

  test.each([
    [{ GWPM_LISTEN_FDS: "0,x" }, /GWPM_LISTEN_FDS holds "x"/],
    [{ GWPM_LISTEN_FDS: "" }, /GWPM_LISTEN_FDS holds ""/],
    [{ GWPM_PROTOCOL: "gopher" }, /GWPM_PROTOCOL is "gopher"; it must be/],
    [{ GWPM_OPTIONS: "{" }, /GWPM_OPTIONS is not JSON/],
  ])("%o is an error", (env, message) => {
    expect(() => readEnvironment(env)).toThrow(message);
  });
});

test("an fd that is no listening socket is not taken for one", () => {
  expect(isListeningSocket(0)).toBe(false);
  expect(isListeningSocket(9_999)).toBe(false);
});

describe("FCGI_WEB_SERVER_ADDRS", () => {
  const allowed = allowedClients(" 192.0.2.1, 2001:db8::1 ");

  test.each([
    ["192.0.2.1", true],
    ["::ffff:192.0.2.1", true],
    ["2001:db8::1", true],
    ["2001:DB8:0::1", true],
    ["192.0.2.2", false],
    ["2001:db8::2", false],
    ["", true],
    [undefined, true],
  ])("lets %j in: %j", (peer, expected) => {
    expect(allowed(peer)).toBe(expected);
  });

  test("that is empty or missing lets everyone in", () => {
    expect(allowedClients(undefined)("192.0.2.9")).toBe(true);
    expect(allowedClients(" , ")("192.0.2.9")).toBe(true);
  });

  test("with a name in it is an error", () => {
    expect(() => allowedClients("127.0.0.1,localhost")).toThrow(/"localhost", which is not an IP address/);
  });
});
