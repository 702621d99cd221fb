import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import { createConnection, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_BODY_BYTES } from "../../../src/control/body.ts";
import { checkValue, type Schema } from "../../../src/control/json-schema.ts";
import { ROUTES } from "../../../src/control/routes.ts";
import { resolveSchema, SCHEMAS } from "../../../src/control/schemas.ts";
import { OperationError } from "../../../src/control/target.ts";
import { eventOf, lineOf, type Rig, startRig } from "./fake-target.ts";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig({ version: "1.2.3", maxFollowerBytes: 64 * 1024 });
});
afterEach(() => rig.close());

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function call(method: string, path: string, body?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: rig.socketPath, method, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function problem(method: string, path: string, body?: string) {
  const reply = await call(method, path, body);
  expect(reply.headers["content-type"]).toBe("application/problem+json");
  const document = JSON.parse(reply.text);
  expect(checkValue(document, SCHEMAS.Problem, resolveSchema)).toEqual([]);
  expect(document.status).toBe(reply.status);
  return { ...document, allow: reply.headers.allow };
}

describe("reading", () => {
  test("status is the target's document", async () => {
    const reply = await call("GET", "/v1/status");
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store" });
    expect(JSON.parse(reply.text)).toEqual(rig.target.document);
  });

  test("HEAD has the head alone", async () => {
    const [head, get] = [await call("HEAD", "/v1/status"), await call("GET", "/v1/status")];
    expect(head).toMatchObject({ status: 200, text: "" });
    expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
    expect(await call("HEAD", "/v1/events?follow=1")).toMatchObject({ status: 200, text: "" });
    expect(rig.target.followers.size).toBe(0);
  });

  test("a whole URL in the request line is understood", async () => {
    expect((await call("GET", "http://gwpm/v1/status")).status).toBe(200);
  });

  test("healthz tells 200 from 503", async () => {
    expect(await call("GET", "/healthz")).toMatchObject({ status: 200, text: '{"status":"ok"}\n' });
    rig.target.unhealthy = 'pool "web" is degraded';
    expect(await problem("GET", "/healthz?pool=web")).toMatchObject({
      status: 503,
      code: "GWPM_UNHEALTHY",
      detail: 'pool "web" is degraded',
      exitCode: 1,
    });
  });

  test("events and logs pass their query on", async () => {
    rig.target.past = [eventOf(1), eventOf(2)];
    const reply = await call("GET", "/v1/events?since=2026-01-31T08:00:00Z&last=7");
    expect(reply.headers["content-type"]).toBe("application/x-ndjson");
    expect(reply.text).toBe(`${JSON.stringify(eventOf(1))}\n${JSON.stringify(eventOf(2))}\n`);
    await call("GET", "/v1/logs?pool=web&last=0&follow=0&pool=");
    expect(rig.target.calls).toEqual([
      ["events", { since: Date.UTC(2026, 0, 31, 8), last: 7 }],
      ["logs", { pools: ["web"], last: 0 }],
    ]);
  });

  test.each([
    ["/v1/events?sinc=1", 'there is no parameter "sinc" here; known: follow, since, last'],
    ["/v1/events?last=-1", "last=-1 has to be a number, 0 or more"],
    ["/v1/events?since=soon", "since=soon has to be milliseconds since the epoch"],
    ["/v1/events?follow=maybe", "follow=maybe has to be 1 or 0"],
    ["/v1/status?x=1", "it takes none"],
    ["/v1/events?__proto__=1", 'there is no parameter "__proto__" here'],
  ])("%s is refused", async (path, says) => {
    const { status, code, detail } = await problem("GET", path);
    expect({ status, code }).toEqual({ status: 400, code: "GWPM_BAD_QUERY" });
    expect(detail).toContain(says);
  });
});

describe("following", () => {
  async function follow(path: string): Promise<Socket & { text: string }> {
    const socket = Object.assign(createConnection(rig.socketPath), { text: "" });
    socket.setEncoding("latin1").on("data", (chunk: Buffer) => {
      socket.text += String(chunk);
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: gwpm\r\n\r\n`);
    await once(socket, "data");
    return socket;
  }

  async function until(condition: () => boolean, tick: () => Promise<unknown>): Promise<void> {
    while (!condition()) await tick();
  }

  test("sends what is past and then what comes, until the client leaves", async () => {
    rig.target.lines = [lineOf("past")];
    const socket = await follow("/v1/logs?follow=1");
    await until(
      () => socket.text.includes("past"),
      () => once(socket, "data"),
    );
    rig.target.tell(lineOf("new"));
    await until(
      () => socket.text.includes("new"),
      () => once(socket, "data"),
    );
    expect(rig.target.followers.size).toBe(1);
    socket.destroy();
    await until(
      () => rig.target.followers.size === 0,
      () => new Promise(setImmediate),
    );
  });

  test("drops a follower that does not read, and tells it so", async () => {
    const socket = await follow("/v1/events?follow=1");
    socket.pause();
    let sent = 0;
    await until(
      () => rig.target.followers.size === 0,
      async () => {
        sent += 1;
        rig.target.tell(eventOf(sent, { pool: "x".repeat(10_000) }));
        await new Promise(setImmediate);
      },
    );
    // The kernel's buffer, Node's own and the limit: some hundred kilobytes, whatever else would have come.
    expect(sent * 10_000).toBeLessThan(2_000_000);
    socket.resume();
    await once(socket, "close");
    const last = socket.text.split("\r\n").findLast((part) => part.startsWith("{"))!;
    expect(JSON.parse(last)).toMatchObject({ gwpm: "dropped" });
    expect(checkValue(JSON.parse(last), SCHEMAS.StreamNotice, resolveSchema)).toEqual([]);
  });

  test("a long past reaches a slow reader whole", async () => {
    rig.target.past = Array.from({ length: 5_000 }, (_, seq) => eventOf(seq, { pool: "y".repeat(200) }));
    const socket = await follow("/v1/events?follow=1");
    socket.pause();
    await new Promise(setImmediate);
    socket.resume();
    await until(
      () => socket.text.includes('"seq":4999'),
      () => once(socket, "data"),
    );
    expect(socket.text.match(/"seq":/g)).toHaveLength(5_000);
    socket.destroy();
  });
});

describe("operations", () => {
  test.each([
    ["/v1/reload", { pools: ["web"], changed: true }, ["reload", { pools: ["web"], changed: true }]],
    ["/v1/reload", undefined, ["reload", {}]],
    ["/v1/restart", { pools: ["web"] }, ["restart", { pools: ["web"] }]],
    ["/v1/pools/web/restart", undefined, ["restart", { pools: ["web"] }]],
    ["/v1/pools/web/scale", { workers: 8 }, ["scale", "web", 8]],
    ["/v1/pools/web/scale", { workers: "-1" }, ["scale", "web", "-1"]],
    ["/v1/pools/w%65b/recycle", {}, ["recycle", "web", undefined]],
    ["/v1/pools/web/workers/3/recycle", undefined, ["recycle", "web", 3]],
    ["/v1/upgrade", undefined, ["upgrade", {}]],
    ["/v1/upgrade", { main: "/opt/gwpm/main.js" }, ["upgrade", { main: "/opt/gwpm/main.js" }]],
    ["/v1/stop", { fast: true }, ["stop", { fast: true }]],
    ["/v1/stop", undefined, ["stop", { fast: false }]],
  ])("POST %s %j", async (path, body, expected) => {
    const reply = await call("POST", path, body && JSON.stringify(body));
    expect(reply.status).toBe(200);
    expect(rig.target.calls).toEqual([expected]);
    const template = path.replace(/\/pools\/[^/]+/, "/pools/{name}").replace(/\/3\//, "/{slot}/");
    const answer = ROUTES.find((route) => route.path === template)!.answers[200]!;
    expect(checkValue(JSON.parse(reply.text), answer.schema, resolveSchema)).toEqual([]);
  });

  test("a reload that nobody waits for answers once the configuration is accepted", async () => {
    let open = () => {};
    rig.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    const reply = await call("POST", "/v1/reload", '{"wait":false}');
    expect(reply).toMatchObject({ status: 202, text: '{"accepted":true}\n' });
    open();
    rig.target.failure = new OperationError("GWPM_BAD_CONFIG", "bad", { exitCode: 78 });
    expect(await problem("POST", "/v1/reload", '{"wait":false}')).toMatchObject({ exitCode: 78 });
  });

  test("an operation goes on when its client leaves", async () => {
    let open = () => {};
    rig.target.gate = new Promise((resolve) => {
      open = resolve;
    });
    const socket = createConnection(rig.socketPath);
    socket.write("POST /v1/restart HTTP/1.1\r\nHost: gwpm\r\nContent-Length: 0\r\n\r\n");
    while (rig.target.calls.length === 0) await new Promise(setImmediate);
    socket.destroy();
    await once(socket, "close");
    open();
    expect((await call("GET", "/v1/status")).status).toBe(200);
  });

  test("the target's own error is the problem", async () => {
    rig.target.failure = new OperationError("GWPM_BAD_CONFIG", "ecosystem.json has 2 errors", {
      status: 422,
      exitCode: 78,
      errors: ["pools[0].name: is missing", "pools[0].listen: is missing"],
    });
    expect(await problem("POST", "/v1/reload")).toEqual({
      type: "about:blank",
      title: "Unprocessable Entity",
      status: 422,
      detail: "ecosystem.json has 2 errors",
      code: "GWPM_BAD_CONFIG",
      exitCode: 78,
      errors: ["pools[0].name: is missing", "pools[0].listen: is missing"],
      allow: undefined,
    });
    expect(await problem("POST", "/v1/pools/wbe/recycle")).toMatchObject({
      status: 404,
      code: "GWPM_NO_SUCH_POOL",
    });
    expect(await problem("GET", "/v1/logs?pool=wbe")).toMatchObject({ status: 404 });
  });

  test("an error that nobody expected is a 500, and is told to the owner", async () => {
    const seen: unknown[] = [];
    await rig.close();
    rig = await startRig({ onError: (error) => seen.push(error) });
    rig.target.failure = new TypeError("x is not a function");
    expect(await problem("GET", "/v1/status")).toMatchObject({ status: 500, code: "GWPM_INTERNAL" });
    expect(seen).toEqual([rig.target.failure]);
  });
});

describe("what is wrong is refused", () => {
  test.each([
    ["/v1/reload", '{"pools":["web"', "close bracket expected at line 1, column 16"],
    ["/v1/reload", '{\n "changed": yes }', "line 2, column 13"],
    ["/v1/reload", "[]", "the body is []; it has to be object"],
    ["/v1/reload", '{"pool":"web"}', 'unknown key "pool"; known: "pools", "changed", "wait"'],
    ["/v1/reload", '{"pools":"web"}', '"pools" is "web"; it has to be a list of pool names'],
    ["/v1/reload", '{"pools":[1]}', '"pools"[0] is 1; it has to be string'],
    ["/v1/reload", '{"changed":1}', '"changed" is 1; it has to be true or false'],
    ["/v1/reload", '{"__proto__":{}}', 'unknown key "__proto__"'],
    ["/v1/pools/web/scale", "", 'the body lacks "workers"'],
    ["/v1/pools/web/scale", '{"workers":-2}', 'a number such as 8, or a change such as "+2" or "-2"'],
    ["/v1/pools/web/scale", '{"workers":1.5}', '"workers" is 1.5'],
    ["/v1/pools/web/scale", '{"workers":"8"}', '"workers" is "8"'],
    ["/v1/pools/web/restart", '{"x":1}', "it takes none"],
    ["/v1/pools/%ff/restart", "", '"%ff" in the path is not percent-encoded UTF-8'],
    ["/v1/pools/web/workers/x/recycle", "", '"x" is not a slot'],
  ])("POST %s %s", async (path, body, says) => {
    const { status, detail, exitCode } = await problem("POST", path, body);
    expect(detail).toContain(says);
    expect({ status, exitCode }).toEqual({ status: 400, exitCode: 2 });
    expect(rig.target.calls).toEqual([]);
  });

  test("a body that is too long", async () => {
    const { status, code } = await problem("POST", "/v1/reload", " ".repeat(MAX_BODY_BYTES + 1));
    expect({ status, code }).toEqual({ status: 413, code: "GWPM_BODY_TOO_LONG" });
    expect((await call("POST", "/v1/reload", `{${" ".repeat(MAX_BODY_BYTES - 2)}}`)).status).toBe(200);
  });

  test.each([
    ["POST", "/v1/status", "GET, HEAD"],
    ["GET", "/v1/reload", "POST"],
    ["DELETE", "/v1/pools/web/scale", "POST"],
    ["POST", "/openapi.json", "GET, HEAD"],
    ["OPTIONS", "/healthz", "GET, HEAD"],
  ])("%s %s is a wrong method", async (method, path, allow) => {
    expect(await problem(method, path)).toMatchObject({ status: 405, code: "GWPM_WRONG_METHOD", allow });
  });

  test.each(["drain", "resume", "rollback"] as const)(
    "POST /v1/pools/web/%s reaches the pool",
    async (verb) => {
      await rig.client.longJson("POST", `/v1/pools/web/${verb}`);
      expect(rig.target.calls).toContainEqual([verb, "web"]);
      await expect(rig.client.longJson("POST", `/v1/pools/nobody/${verb}`)).rejects.toMatchObject({
        exitCode: 1,
      });
    },
  );

  test.each(["/", "/v1", "/v1/status/", "/v1/pools//scale", "//", "/v1/pools/a/b/scale", "*"])(
    "GET %s is nowhere",
    async (path) => {
      expect(await problem("GET", path)).toMatchObject({ status: 404, code: "GWPM_NO_SUCH_PATH" });
    },
  );

  test.each([
    ["GET", "/metrics"],
    ["GET", "/v1/why?pool=web&slot=1"],
  ])("%s %s is not implemented yet", async (method, path) => {
    expect(await problem(method, path)).toMatchObject({ status: 501, code: "GWPM_NOT_IMPLEMENTED" });
  });

  test.each([
    ["a TLS hello", "\x16\x03\x01\x02\x00", 400],
    ["a length that is none", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400],
    ["a head without end", `GET / HTTP/1.1\r\nX: ${"y".repeat(20_000)}\r\n\r\n`, 431],
    ["no host", "GET /v1/status HTTP/1.1\r\n\r\n", 400],
  ])("garbage: %s", async (_what, bytes, status) => {
    const socket = createConnection(rig.socketPath);
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk) => {
      text += String(chunk);
    });
    socket.write(bytes, "latin1");
    await once(socket, "close");
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect((await call("GET", "/healthz")).status).toBe(200);
  });

  test("clients that leave at any point harm nobody", async () => {
    const whole = 'POST /v1/reload HTTP/1.1\r\nHost: gwpm\r\nContent-Length: 14\r\n\r\n{"pools":["a"]';
    for (let length = 0; length < whole.length; length += 7) {
      const socket = createConnection(rig.socketPath);
      socket.on("error", () => {});
      socket.write(whole.slice(0, length), () => socket.destroy());
      await once(socket, "close");
    }
    expect(rig.target.calls).toEqual([]);
    expect((await call("GET", "/healthz")).status).toBe(200);
  });
});

describe("/openapi.json", () => {
  const load = async () => JSON.parse((await call("GET", "/openapi.json")).text);

  test("describes every route and nothing else", async () => {
    const document = await load();
    expect(document).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
    const described = Object.entries<object>(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(described.sort()).toEqual(["GET /openapi.json", ...served].sort());
    const ids = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap((item) =>
      Object.values(item).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("has no reference that leads nowhere", async () => {
    const references = JSON.stringify(await load()).matchAll(/"\$ref":"([^"]+)"/g);
    for (const [, reference] of references) expect(resolveSchema(reference!)).toBeTypeOf("object");
  });

  test("describes the status document key by key", async () => {
    expect(
      checkValue(rig.target.document, close(SCHEMAS.Status), (ref) => close(resolveSchema(ref))),
    ).toEqual([]);
    const wrong = { ...rig.target.document, schemaVersion: 2, extra: 1 };
    expect(checkValue(wrong, close(SCHEMAS.Status), resolveSchema)).toHaveLength(2);
  });

  /** The same schema, and no key besides those it names. */
  function close(schema: Schema): Schema {
    if (schema.properties === undefined) return schema;
    const properties = Object.entries(schema.properties).map(([key, value]) => [key, close(value)]);
    return { ...schema, additionalProperties: false, properties: Object.fromEntries(properties) };
  }
});
