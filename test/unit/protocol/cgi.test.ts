import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { headersObject } from "../../../src/protocol/cgi/header-fields.ts";
import { requestHeaders } from "../../../src/protocol/cgi/request-headers.ts";
import { requestVariables } from "../../../src/protocol/cgi/request-variables.ts";
import { encodeHead, headContentLength, headStatus } from "../../../src/protocol/cgi/response-head.ts";
import { type ResponseHead, ResponseHeadDecoder } from "../../../src/protocol/cgi/response-head-decoder.ts";
import { ScgiParams } from "../../../src/protocol/scgi/params.ts";

const NAMES = fc.stringMatching(/^X-[A-Za-z0-9-]{0,20}$/);
const VALUES = fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,40}[\x21-\x7e\x80-\xff])?$/);
const HEADERS = fc.array(fc.tuple(NAMES, VALUES), { maxLength: 20 }).map((pairs) => pairs.flat());

function decode(bytes: Buffer, cuts: readonly number[] = []): { head: ResponseHead; body: Buffer } | null {
  const decoder = new ResponseHeadDecoder();
  const points = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < points.length; i++) {
    const result = decoder.push(bytes.subarray(points[i - 1], points[i]));
    if (result !== null)
      return { head: result.head, body: Buffer.concat([result.body, bytes.subarray(points[i])]) };
  }
  return null;
}

describe("a response head", () => {
  it("comes out of the decoder as it went into the encoder, wherever it is cut", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 999 }),
        HEADERS,
        fc.array(fc.nat(400), { maxLength: 5 }),
        (status, headers, cuts) => {
          const text = encodeHead(status, "Some Reason", headers);
          const bytes = Buffer.from(`${text}body`, "latin1");
          const result = decode(
            bytes,
            cuts.map((cut) => Math.min(cut, bytes.length)),
          );
          expect(result).toEqual({
            head: { status, reason: "Some Reason", headers },
            body: Buffer.from("body"),
          });
          expect(headStatus(text)).toBe(status);
        },
      ),
    );
  });

  it("tells status and length of heads that were not encoded last", () => {
    const first = encodeHead(404, undefined, ["content-length", "12"]);
    const second = encodeHead(200, undefined, []);
    expect([headStatus(first), headContentLength(first)]).toEqual([404, 12]);
    expect([headStatus(second), headContentLength(second)]).toEqual([200, -1]);
  });

  it("leaves out what belongs to one HTTP connection", () => {
    const dropped = [
      "Connection",
      "close",
      "keep-alive",
      "timeout=5",
      "Transfer-Encoding",
      "chunked",
      "UPGRADE",
      "h2c",
      "Status",
      "200",
    ];
    expect(encodeHead(200, undefined, [...dropped, "X-A", "1"])).toBe("Status: 200 OK\r\nX-A: 1\r\n\r\n");
  });

  it.each([
    ["CR LF", ["X-A", "1\r\nX-B: 2"]],
    ["LF", ["X-A", "1\nX-B: 2"]],
    ["NUL", ["X-A", "\0"]],
    ["beyond latin1", ["X-A", "\u0100"]],
    ["a name with a colon", ["X-A:", "1"]],
    ["an empty name", ["", "1"]],
    ["a length that is none", ["Content-Length", "five"]],
    ["lengths that differ", ["Content-Length", "5", "content-length", "6"]],
    ["LF in a header that is not sent", ["Connection", "a\nb"]],
  ])("is refused with %s", (_what, headers) => {
    expect(() => encodeHead(200, undefined, headers)).toThrow(
      expect.objectContaining({ code: "CGI_INVALID_HEADER" }),
    );
  });

  it("does not repeat an earlier value for a header without one", () => {
    const secret = "s".repeat(500);
    encodeHead(200, undefined, ["X-Secret", secret]);
    expect(() => encodeHead(200, undefined, ["X-Secret", undefined as never])).toThrow(
      expect.objectContaining({ code: "CGI_INVALID_HEADER" }),
    );
  });

  it.each([100, 101, 103, 199, 1000, 20.5, Number.NaN])("is refused with status %d", (status) => {
    expect(() => encodeHead(status, undefined, [])).toThrow(
      expect.objectContaining({ code: "CGI_INVALID_STATUS" }),
    );
  });

  it("refuses a reason with a line break", () => {
    expect(() => encodeHead(200, "OK\r\nX: y", [])).toThrow(
      expect.objectContaining({ code: "CGI_INVALID_HEADER" }),
    );
  });

  it.each<[string, Partial<ResponseHead>]>([
    ["Status: 404\n\n", { status: 404, reason: "" }],
    [
      "Status: 404 Not Found\nX-A:1\r\nx-b: 2 \n\r\n",
      { status: 404, reason: "Not Found", headers: ["X-A", "1", "x-b", "2"] },
    ],
    ["HTTP/1.0 201 Created\r\n\r\n", { status: 201, reason: "Created" }],
    ["Location: /x\r\n\r\n", { status: 302 }],
    ["Status: 200 OK\r\nLocation: /x\r\n\r\n", { status: 200 }],
    ["\n", { status: 200, headers: [] }],
    ["\r\n", { status: 200, headers: [] }],
  ])("is read leniently: %j", (text, head) => {
    const bytes = Buffer.from(text, "latin1");
    for (let cut = 0; cut <= bytes.length; cut++) expect(decode(bytes, [cut])?.head).toMatchObject(head);
  });

  it.each([
    "no colon\r\n\r\n",
    ": empty\r\n\r\n",
    "Status: abc\r\n\r\n",
    "Status: 99\r\n\r\n",
    "X A: 1\r\n\r\n",
    "X: a\rb\r\n\r\n",
  ])("is refused where it is malformed: %j", (text) => {
    expect(() => decode(Buffer.from(text))).toThrow(expect.objectContaining({ code: "CGI_BAD_HEADERS" }));
  });

  it("is bounded", () => {
    const decoder = new ResponseHeadDecoder(100);
    expect(decoder.push(Buffer.alloc(100, "a"))).toBeNull();
    expect(() => decoder.push(Buffer.from("a"))).toThrow(
      expect.objectContaining({ code: "CGI_HEADERS_TOO_LARGE" }),
    );
  });
});

describe("request headers", () => {
  const params = (...pairs: string[]) => new ScgiParams(pairs.map((text) => `${text}\0`).join(""));

  it("survive the way to CGI variables and back", () => {
    const token = fc.stringMatching(/^x-[a-z0-9-]{0,20}$/);
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(token, VALUES), { selector: ([name]) => name }), (pairs) => {
        const headers = pairs.flat();
        const variables = requestVariables({ method: "GET", uri: "/" }, headers);
        const list = requestHeaders(params(...[...variables].flat()));
        expect(headersObject(list)).toEqual(headersObject(headers));
      }),
    );
  });

  it("join like those of node:http", () => {
    const list = requestHeaders(
      params(
        "HTTP_COOKIE",
        "a=1",
        "HTTP_COOKIE",
        "b=2",
        "HTTP_X",
        "1",
        "HTTP_X",
        "2",
        "HTTP_HOST",
        "first",
        "HTTP_HOST",
        "second",
      ),
    );
    expect({ ...headersObject(list) }).toEqual({ cookie: "a=1; b=2", x: "1, 2", host: "first" });
  });

  it("say of the body what the front end says", () => {
    const list = requestHeaders(
      params(
        ...[
          "CONTENT_TYPE",
          "text/plain",
          "CONTENT_LENGTH",
          "5",
          "HTTP_CONTENT_TYPE",
          "evil/evil",
          "HTTP_CONTENT_LENGTH",
          "9",
        ],
        ...["HTTP_TRANSFER_ENCODING", "chunked"],
      ),
      true,
    );
    expect({ ...headersObject(list) }).toEqual({ "content-type": "text/plain", "content-length": "5" });
  });

  it.each(["", "-1", "5x"])("count CONTENT_LENGTH %j as not sent", (length) => {
    const given = params("CONTENT_TYPE", "", "CONTENT_LENGTH", length);
    expect({ ...headersObject(requestHeaders(given)) }).toEqual({});
    expect({ ...headersObject(requestHeaders(given, true)) }).toEqual({ "transfer-encoding": "chunked" });
  });

  it("never make an HTTP_PROXY", () => {
    const given = params("HTTP_PROXY", "http://evil.test", "HTTP_PROXY_X", "1");
    expect(given.get("HTTP_PROXY")).toBeUndefined();
    expect({ ...given.toObject() }).toEqual({ HTTP_PROXY_X: "1" });
    expect(given.size).toBe(1);
    const variables = requestVariables({ method: "GET", uri: "/" }, [
      "Proxy",
      "http://evil.test",
      "X_Under",
      "1",
    ]);
    expect([...variables.keys()].filter((name) => name.startsWith("HTTP_"))).toEqual([]);
  });
});

describe("CGI variables of a request", () => {
  it("hold what servers look for", () => {
    const variables = requestVariables(
      {
        method: "POST",
        uri: "/a%2Fb%20c%00?x=%20",
        scheme: "https",
        remoteAddress: "::1",
        remotePort: 5,
        contentLength: 3,
      },
      ["Content-Type", "text/plain", "Host", "h", "Connection", "close", "Accept", "a", "accept", "b"],
    );
    expect(Object.fromEntries(variables)).toMatchObject({
      REQUEST_METHOD: "POST",
      REQUEST_URI: "/a%2Fb%20c%00?x=%20",
      QUERY_STRING: "x=%20",
      PATH_INFO: "/a/b c%00",
      HTTPS: "on",
      REMOTE_ADDR: "::1",
      REMOTE_PORT: "5",
      CONTENT_LENGTH: "3",
      CONTENT_TYPE: "text/plain",
      HTTP_HOST: "h",
      HTTP_ACCEPT: "a, b",
    });
    expect(variables.has("HTTP_CONNECTION")).toBe(false);
  });
});
