/** Applications of four frameworks, unmodified, behind nginx by FastCGI: what they answer, and that they stream in bounded memory. */

import { beforeAll } from "vitest";
import { type Gwpm, startGwpm } from "../support/gwpm.ts";
import { exchange, header, type WireRequest, type WireResponse } from "../support/http.ts";
import { FASTCGI_PARAMS, type Nginx, startNginx } from "../support/nginx.ts";
import { app } from "../support/paths.ts";
import { requirePeer } from "../support/peers.ts";
import { describe, expect, sharedSandbox, test } from "../support/test.ts";
import { download, expectedDigest, upload, watchingMemory } from "../support/transfer.ts";

const FRAMEWORKS = ["express", "koa", "fastify", "hono"] as const;

type Framework = (typeof FRAMEWORKS)[number];

const GIGABYTE = 1024 ** 3;
/** A reader that keeps up holds some buffers; one without back-pressure would hold a good part of the gigabyte. */
const MEMORY_BOUND = 150 * 1024 ** 2;
/** Some 5 s a transfer on an idle machine. */
const TRANSFER_MS = 100_000;

const nginxPeer = requirePeer("nginx");

describe.skipIf(nginxPeer.missing)(`behind nginx${nginxPeer.note}`, () => {
  const sandbox = sharedSandbox();
  let gwpm: Gwpm;
  let nginx: Nginx<Framework>;

  beforeAll(async () => {
    gwpm = await startGwpm(sandbox, {
      config: {
        pools: FRAMEWORKS.map((name) => ({
          name,
          script: app(`${name}.mjs`),
          workers: 1,
          listen: `unix:${sandbox.path(`${name}.sock`)}`,
        })),
      },
    });
    nginx = await startNginx(sandbox, {
      http: FRAMEWORKS.map(
        (name) => `upstream ${name} { server unix:${sandbox.path(`${name}.sock`)}; keepalive 8; }`,
      ).join("\n"),
      servers: Object.fromEntries(
        FRAMEWORKS.map((name) => [
          name,
          {
            server: `location / {\n${FASTCGI_PARAMS}
              client_body_buffer_size 256k;
              fastcgi_request_buffering off;
              fastcgi_buffering off;
              fastcgi_keep_conn on;
              fastcgi_pass ${name}; }`,
          },
        ]),
      ) as Record<Framework, { server: string }>,
    });
  });

  describe.for(FRAMEWORKS)("%s", (framework) => {
    const ask = (request: WireRequest): Promise<WireResponse> => exchange(nginx.at[framework], request);

    const post = (target: string, type: string, body: string): Promise<WireResponse> =>
      ask({ method: "POST", target, headers: [["Content-Type", type]], body: Buffer.from(body) });

    test("routes and reads the query", async () => {
      const response = await ask({ target: "/hello/world?a=1&b=x%20y" });
      expect(response.status).toBe(200);
      expect(header(response, "content-type")).toMatch(/^application\/json/);
      expect(parse(response)).toEqual({ hello: "world", query: { a: "1", b: "x y" } });
    });

    test("parses JSON and forms", async () => {
      const json = await post("/json", "application/json", '{"list":[1,"zwei"],"ok":true}');
      expect(parse(json)).toEqual({ received: { list: [1, "zwei"], ok: true } });
      const form = await post("/form", "application/x-www-form-urlencoded", "name=J%C3%B6rg&x=1");
      expect(parse(form)).toEqual({ name: "Jörg", x: "1" });
    });

    test("sets several cookies", async () => {
      const response = await ask({ target: "/cookie" });
      const cookies = response.headers.filter(([name]) => name.toLowerCase() === "set-cookie");
      expect(cookies.map(([, value]) => value)).toEqual(["a=1; Path=/", "b=two%20words; Path=/"]);
    });

    test("redirects", async () => {
      const response = await ask({ target: "/go" });
      expect(response.status).toBe(302);
      expect(header(response, "location")).toBe("/hello/there");
    });

    test("answers 404, HEAD, and its own errors", async () => {
      expect((await ask({ target: "/nowhere" })).status).toBe(404);
      const head = await ask({ method: "HEAD", target: "/hello/world" });
      expect([head.status, head.body.length]).toEqual([200, 0]);
      const failed = await ask({ target: "/fail" });
      expect(failed.status).toBe(500);
      expect(parse(failed)).toEqual({ error: "thrown on purpose" });
    });

    test("knows the client's address, scheme and host", async () => {
      const response = await ask({ target: "/address", headers: [["Host", "example.test"]] });
      const { ip, ...rest } = parse(response) as Record<string, unknown>;
      expect(rest).toEqual({ secure: false, host: "example.test" });
      // nginx listens on a Unix socket here, and calls its clients "unix:".
      expect(["unix:", "127.0.0.1"]).toContain(ip);
    });

    test(
      "takes an upload of 1 GB in bounded memory",
      async () => {
        const [pid] = await gwpm.readyPids(framework);
        const { result, growth } = await watchingMemory(pid!, () =>
          upload(nginx.at[framework], "/upload", GIGABYTE),
        );
        expect(JSON.parse(result)).toEqual(expectedDigest(GIGABYTE));
        expect(growth).toBeLessThan(MEMORY_BOUND);
      },
      TRANSFER_MS,
    );

    test(
      "sends a download of 1 GB in bounded memory",
      async () => {
        const [pid] = await gwpm.readyPids(framework);
        const { result, growth } = await watchingMemory(pid!, () =>
          download(nginx.at[framework], `/download?bytes=${GIGABYTE}`),
        );
        expect(result).toEqual(expectedDigest(GIGABYTE));
        expect(growth).toBeLessThan(MEMORY_BOUND);
      },
      TRANSFER_MS,
    );
  });
});

function parse(response: WireResponse): unknown {
  return JSON.parse(response.body.toString());
}
