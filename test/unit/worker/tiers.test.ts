/** What every handler form can do, over every protocol. */

import { once } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { PROTOCOLS, Served } from "./served.ts";

type Handler = (
  request: { url: string; gateway: Gateway; signal?: AbortSignal },
  response: Response_,
) => unknown;
interface Gateway {
  params: { get(name: string): string | undefined };
  originalUrl: string;
  signal: AbortSignal;
}
interface Response_ {
  end(text: string): void;
  send(status: number, headers: object, body: string): void;
}

/** The same app in each form: says what it sees of the request. */
const FORMS = {
  "(req, res)": (see: (url: string, gateway: Gateway) => unknown) => ({
    default: (async (request, response) =>
      response.end(JSON.stringify(await see(request.url, request.gateway)))) as Handler,
  }),
  fetch: (see: (url: string, gateway: Gateway) => unknown) => ({
    default: {
      fetch: async (request: { url: string; gateway: Gateway }) => {
        const { pathname, search } = new URL(request.url);
        return new Response(JSON.stringify(await see(pathname + search, request.gateway)));
      },
    },
  }),
  gateway: (see: (url: string, gateway: Gateway) => unknown) => ({
    gateway: (async (request, response) =>
      response.send(200, {}, JSON.stringify(await see(request.url, request.gateway)))) as Handler,
  }),
};

let served: Served | undefined;

afterEach(async () => {
  await served?.[Symbol.asyncDispose]();
  served = undefined;
  vi.restoreAllMocks();
});

describe.each(PROTOCOLS)("over %s", (protocol) => {
  describe.each(Object.entries(FORMS))("a %s handler", (_form, makeApp) => {
    test("sees its URL without the base path, and the CGI variables", async () => {
      const app = makeApp((url, { params, originalUrl }) => [url, originalUrl, params.get("REQUEST_METHOD")]);
      served = await Served.start(protocol, app, "/mount");
      const { text } = await served.ask({ method: "DELETE", uri: "/mount/a?b" });
      expect(JSON.parse(text)).toEqual(["/a?b", "/mount/a?b", "DELETE"]);
    });

    test("hears from its signal that the client has gone", async () => {
      let begun!: (signal: AbortSignal) => void;
      const signal = new Promise<AbortSignal>((resolve) => {
        begun = resolve;
      });
      served = await Served.start(
        protocol,
        makeApp((_url, gateway) => {
          begun(gateway.signal);
          return new Promise(() => {});
        }),
      );
      const client = new AbortController();
      const answer = served.ask({ uri: "/", signal: client.signal });
      answer.catch(() => {});
      const seen = await signal;
      expect(seen.aborted).toBe(false);
      client.abort();
      // SCGI cannot tell a client that has gone from one that has only ended its side: the worker hears of it when it writes.
      if (protocol !== "scgi") await once(seen, "abort");
      await expect(answer).rejects.toThrow();
    });

    test("that fails harms no other request", async () => {
      const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
      served = await Served.start(
        protocol,
        makeApp((url) => {
          if (url === "/fail") throw new Error("oops");
          return "fine";
        }),
      );
      const answers = await Promise.all(["/a", "/fail", "/b"].map((uri) => served!.ask({ uri })));
      expect(answers.map(({ status }) => status)).toEqual([200, 500, 200]);
      expect(answers[1]!.text).toBe("Internal Server Error\n");
      expect(stderr.mock.calls.join()).toContain("failed on GET /fail: Error: oops");
    });
  });
});

test("an http response that begins while the worker drains says that the connection ends", async () => {
  let finish!: () => void;
  let begun!: () => void;
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  served = await Served.start("http", {
    default: (_request: unknown, response: Response_) => {
      finish = () => response.end("done");
      begun();
    },
  });
  const answer = served.ask({ uri: "/" });
  await beginning;
  const drained = served.server.drain("keep");
  finish();
  expect((await answer).headers.connection).toEqual(["close"]);
  await drained;
});

test("only FastCGI has roles", async () => {
  await expect(Served.start("scgi", { authorizer: () => {} })).rejects.toThrow(/scgi knows no authorizer/);
});
