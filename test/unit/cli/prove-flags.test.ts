import { describe, expect, test } from "vitest";
import { UsageError } from "../../../src/cli/failure.ts";
import { readPlan } from "../../../src/cli/prove-flags.ts";

describe("the plan", () => {
  test("without flags", () => {
    expect(readPlan("web", {})).toEqual({
      pool: "web",
      forMs: 10_000,
      reloadEveryMs: null,
      killEveryMs: null,
      rate: null,
      clients: 8,
      bodyBytes: 1024,
      uri: "/",
      url: null,
      keepAlive: null,
      expectEcho: false,
      timeoutMs: 30_000,
    });
  });

  test("with all of them", () => {
    const flags = {
      ...{ for: "1m", reloadEvery: "1s", killEvery: "500ms", rate: "200", clients: "50", body: "16KB" },
      ...{ uri: "/a?b=c", url: "http://127.0.0.1:8080/d", keepAlive: false, expectEcho: true, timeout: "5s" },
    };
    expect(readPlan("web", flags)).toEqual({
      pool: "web",
      forMs: 60_000,
      reloadEveryMs: 1_000,
      killEveryMs: 500,
      rate: 200,
      clients: 50,
      bodyBytes: 16_384,
      uri: "/a?b=c",
      url: new URL("http://127.0.0.1:8080/d"),
      keepAlive: false,
      expectEcho: true,
      timeoutMs: 5_000,
    });
  });

  test.each([
    ["http://127.0.0.1:8080", "/"],
    ["http://127.0.0.1:8080/", "/"],
    ["http://127.0.0.1:8080/?a=b", "/?a=b"],
    ["http://127.0.0.1/shop?a=b#c", "/shop?a=b"],
  ])("takes the path of %s", (url, uri) => {
    expect(readPlan("web", { url }).uri).toBe(uri);
  });

  test("no body means GETs only", () => {
    expect(readPlan("web", { body: "0" }).bodyBytes).toBe(0);
  });
});

test.each<[Record<string, string>, string]>([
  [{ for: "10" }, 'prove: --for "10" has no unit'],
  [{ for: "0s" }, "prove: --for is 0"],
  [{ timeout: "0ms" }, "prove: --timeout is 0"],
  [{ reloadEvery: "soon" }, 'prove: --reload-every "soon" is not a duration'],
  [{ killEvery: "10s" }, "prove: --kill-every 10s is no shorter than the run, which lasts 10000 ms"],
  [{ for: "1s", reloadEvery: "2s" }, "it would never come to that"],
  [{ rate: "0" }, "prove: --rate 0 is not a whole number from 1 to 1000000"],
  [{ rate: "1.5" }, "prove: --rate 1.5 is not"],
  [{ clients: "many" }, "prove: --clients many is not a whole number from 1 to 1000"],
  [{ clients: "1001" }, "prove: --clients 1001 is not"],
  [{ body: "1K" }, 'prove: --body "1K" is not a size; write "1KB"'],
  [{ body: "1GB" }, "prove: --body 1GB is more than the 64MB"],
  [{ uri: "status" }, 'prove: the URI "status" is not a path'],
  [{ uri: "/a b" }, 'prove: the URI "/a b" is not a path'],
  [{ uri: "/a#b" }, 'prove: the URI "/a#b" is not a path'],
  [
    { url: "https://shop.example/" },
    "prove: --url https://shop.example/ is not the URL of an HTTP front end",
  ],
  [{ url: "127.0.0.1:8080" }, "prove: --url 127.0.0.1:8080 is not the URL"],
])("%j is refused", (flags, message) => {
  expect(() => readPlan("web", flags)).toThrow(UsageError);
  expect(() => readPlan("web", flags)).toThrow(message);
});
