/**
 * The same application behind the same nginx, once under node:http and once under gwpm by every protocol: what reaches the client must
 * be the same to the byte. Where gwpm means to differ, exchanges.ts says so, with the reason.
 */

import { beforeAll } from "vitest";
import { startGwpm } from "../support/gwpm.ts";
import { exchange, openExchange, type Target, type WireResponse } from "../support/http.ts";
import { FASTCGI_PARAMS, type Nginx, PROXY_HEADERS, SCGI_PARAMS, startNginx } from "../support/nginx.ts";
import { app } from "../support/paths.ts";
import { requirePeer } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, sharedSandbox, test } from "../support/test.ts";
import { BROKEN_OFF, type Deviation, EXCHANGES } from "./exchanges.ts";

/** How nginx reaches the application, one server each. */
const LANES = [
  "fastcgi over unix",
  "fastcgi over unix, kept",
  "fastcgi over unix, kept, unbuffered",
  "fastcgi over tcp",
  "fastcgi over tcp, kept",
  "scgi over unix",
  "scgi over unix, unbuffered",
  "scgi over tcp",
  "http over unix",
  "http over tcp",
  "http through the built-in gateway",
] as const;

type Lane = (typeof LANES)[number];

/** Set by nginx itself, at the moment of the answer or by its own choice of keeping the client's connection. */
const NGINX_OWN = new Set(["date", "connection"]);

const nginxPeer = requirePeer("nginx");

describe.skipIf(nginxPeer.missing)(`behind nginx${nginxPeer.note}`, () => {
  const sandbox = sharedSandbox();
  let nginx: Nginx<Lane | "reference">;

  beforeAll(async () => {
    nginx = await startAll(sandbox);
  });

  describe.for(LANES)("%s", (lane) => {
    for (const { name, request, deviation } of EXCHANGES) {
      test(name, async () => {
        const [expected, actual] = await Promise.all([
          exchange(nginx.at.reference, request),
          exchange(nginx.at[lane], request),
        ]);
        // Guards the comparison itself: two failures look alike too.
        expect(expected.complete, "the reference answered completely").toBe(true);
        expect(expected.status, "the reference reached the application").not.toBe(502);
        const allowed = speaksHttp(lane) ? undefined : deviation;
        expect(comparable(actual)).toEqual(comparable(expected, allowed));
        expect(actual.body.equals(expected.body), "the same body").toBe(true);
      });
    }

    for (const { name, request } of BROKEN_OFF) {
      // A front end takes the end of an SCGI connection for the end of the response, and a Unix socket cannot be reset.
      if (request.target === "/broken-stream" && /scgi over unix/.test(lane)) continue;
      test(`${name}, broken off, does not look complete`, async () => {
        const seen = await exchange(nginx.at[lane], request).then(
          ({ status, complete }) => (status === 200 && complete ? "complete" : "broken"),
          () => "no response",
        );
        expect(seen).not.toBe("complete");
        expect((await exchange(nginx.at[lane], { target: "/hello" })).status, "the next request").toBe(200);
      });
    }

    test("repeated headers can be told apart", async () => {
      const { body } = await exchange(nginx.at[lane], {
        target: "/echo/distinct",
        headers: ["one", "two", "three, four"].map((value) => ["X-Many", value] as const),
      });
      // RFC 3875 §4.1.18 wants them joined, which the gateway does and nginx does not.
      const joined = lane === "http through the built-in gateway";
      expect(JSON.parse(body.toString())).toEqual(
        joined ? ["one, two, three, four"] : ["one", "two", "three, four"],
      );
    });

    test("Proxy in a request does not become HTTP_PROXY", async () => {
      // httpoxy; by CGI the header itself is taken out as well.
      const { body } = await exchange(nginx.at[lane], {
        target: "/echo",
        headers: [["Proxy", "http://evil.test"]],
      });
      const { httpProxy, headers } = JSON.parse(body.toString());
      expect(httpProxy).toBeNull();
      expect(headers.proxy).toBe(speaksHttp(lane) ? "http://evil.test" : undefined);
    });

    test("parts of a response arrive while it is still open", async () => {
      const target = nginx.at[lane];
      const id = lane.replaceAll(/\W/g, "-");
      const open = await openExchange(target, { target: `/stepwise?id=${id}` });
      for (const part of ["first", "second", "third"]) {
        await open.received(part);
        const { body } = await exchange(target, { target: `/go?id=${id}` });
        expect(JSON.parse(body.toString())).toEqual({ released: true });
      }
      const response = await open.response;
      expect(response.body.toString()).toBe("first\nsecond\nthird\nlast\n");
      expect(response.complete).toBe(true);
    });

    test("a client that hangs up is seen by the application", async () => {
      expect(await hangUp(nginx.at[lane])).toEqual(await hangUp(nginx.at.reference));
    });

    test("a handler that throws gets a 500 of its own and disturbs nobody", async () => {
      // No comparison: under node:http this ends the process.
      const target = nginx.at[lane];
      const open = await openExchange(target, { target: `/stepwise?id=bystander` });
      await open.received("first");
      const failed = await exchange(target, { target: "/sync-throw" });
      expect(failed.status).toBe(500);
      expect(failed.body.toString(), "no stack trace for strangers").not.toContain("compat.mjs");
      for (const part of ["first", "second", "third"]) {
        await open.received(part);
        await exchange(target, { target: "/go?id=bystander" });
      }
      expect((await open.response).body.toString()).toBe("first\nsecond\nthird\nlast\n");
    });
  });
});

/** One worker in each pool: `/stepwise` and `/abort/report` must reach the process that they are about. */
async function startAll(sandbox: Sandbox): Promise<Nginx<Lane | "reference">> {
  const [fastcgiPort, scgiPort, httpPort, gatewayPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const socket = (name: string): string => sandbox.path(`${name}.sock`);
  const pool = (protocol: string, port: number): object => ({
    name: protocol,
    script: app("compat.mjs"),
    protocol,
    workers: 1,
    listen: [`unix:${socket(protocol)}`, `127.0.0.1:${port}`],
  });
  await Promise.all([
    startReference(sandbox, socket("reference")),
    startGwpm(sandbox, {
      config: {
        pools: [
          { ...pool("fastcgi", fastcgiPort), http: `127.0.0.1:${gatewayPort}` },
          pool("scgi", scgiPort),
          pool("http", httpPort),
        ],
      },
    }),
  ]);
  return startNginx(sandbox, {
    http: `
      upstream fastcgi_unix { server unix:${socket("fastcgi")}; keepalive 8; }
      upstream fastcgi_tcp { server 127.0.0.1:${fastcgiPort}; keepalive 8; }
      upstream http_unix { server unix:${socket("http")}; keepalive 8; }
      upstream http_tcp { server 127.0.0.1:${httpPort}; keepalive 8; }
      upstream gateway { server 127.0.0.1:${gatewayPort}; keepalive 8; }
      upstream reference { server unix:${socket("reference")}; keepalive 8; }`,
    servers: {
      reference: proxy("reference"),
      "fastcgi over unix": fastcgi(`unix:${socket("fastcgi")}`),
      "fastcgi over unix, kept": fastcgi("fastcgi_unix", "fastcgi_keep_conn on;"),
      "fastcgi over unix, kept, unbuffered": fastcgi(
        "fastcgi_unix",
        "fastcgi_keep_conn on; fastcgi_request_buffering off; fastcgi_buffering off;",
      ),
      "fastcgi over tcp": fastcgi(`127.0.0.1:${fastcgiPort}`),
      "fastcgi over tcp, kept": fastcgi("fastcgi_tcp", "fastcgi_keep_conn on;"),
      "scgi over unix": scgi(`unix:${socket("scgi")}`),
      // Not scgi_request_buffering: nginx then sends as CONTENT_LENGTH what happens to have arrived with the head.
      "scgi over unix, unbuffered": scgi(`unix:${socket("scgi")}`, "scgi_buffering off;"),
      "scgi over tcp": scgi(`127.0.0.1:${scgiPort}`),
      "http over unix": proxy("http_unix"),
      "http over tcp": proxy("http_tcp"),
      "http through the built-in gateway": proxy("gateway"),
    },
  });
}

/** Room for 6 kB of response headers, and nothing kept back on disk. */
const buffers = (module: string): string => `${module}_buffer_size 16k; ${module}_buffers 16 16k;`;

function fastcgi(to: string, more = ""): { server: string } {
  return { server: `location / {\n${FASTCGI_PARAMS}\n${buffers("fastcgi")} ${more} fastcgi_pass ${to}; }` };
}

function scgi(to: string, more = ""): { server: string } {
  return { server: `location / {\n${SCGI_PARAMS}\n${buffers("scgi")} ${more} scgi_pass ${to}; }` };
}

function proxy(to: string): { server: string } {
  // nginx rewrites Location for proxy_pass only; the application's own answer is what we compare.
  return {
    server: `location / {\n${PROXY_HEADERS}\n${buffers("proxy")} proxy_redirect off; proxy_pass http://${to}; }`,
  };
}

async function startReference(sandbox: Sandbox, socket: string): Promise<void> {
  const child = await sandbox.start([
    process.execPath,
    app("under-node-http.mjs"),
    app("compat.mjs"),
    socket,
  ]);
  await child.stdout.waitFor(/^listening$/, { what: "node:http to listen" });
}

/** These reach node:http itself, with nothing of gwpm's in between. */
function speaksHttp(lane: Lane): boolean {
  return lane === "http over unix" || lane === "http over tcp";
}

function comparable(response: WireResponse, deviation?: Deviation): object {
  return {
    statusLine: response.statusLine,
    headers: deviate(response, deviation).filter(([name]) => !NGINX_OWN.has(name.toLowerCase())),
    length: response.body.length,
    text: response.body.length < 10_000 ? response.body.toString("latin1") : "(compared as bytes)",
    complete: response.complete,
  };
}

/** The headers of node:http's response as gwpm means to send them. */
function deviate({ headers, body }: WireResponse, deviation: Deviation | undefined): WireResponse["headers"] {
  switch (deviation) {
    case undefined:
      return headers;
    case "no Trailer":
      return headers.filter(([name]) => name !== "Trailer");
    case "states the length":
      return headers.map((header) =>
        header[0] === "Transfer-Encoding" ? ["Content-Length", String(body.length)] : header,
      );
  }
}

let hangUps = 0;

async function hangUp(target: Target): Promise<unknown> {
  const id = `hang-up-${++hangUps}`;
  const open = await openExchange(target, { target: `/abort?id=${id}` });
  await open.received("started");
  open.socket.destroy();
  const report = await exchange(target, { target: `/abort/report?id=${id}` });
  return JSON.parse(report.body.toString());
}
