/** The FastCGI client against a peer that sends bytes made by hand. */

import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { GatewayClient, GatewayError, getValues } from "../../../src/gateway/client.ts";
import { describe, expect, test } from "../../support/test.ts";
import { failureOf } from "./failure-of.ts";
import {
  answer,
  BEGIN,
  endRequest,
  fakeUpstream,
  HELLO,
  PARAMS,
  type Peer,
  record,
  records,
  STDERR,
  STDIN,
  STDOUT,
  stream,
  variables,
} from "./fake-upstream.ts";

/** Answers every request on the connection with the same bytes. */
const replying =
  (bytes: Buffer) =>
  async (peer: Peer): Promise<void> => {
    await peer.request();
    peer.socket.write(bytes);
  };

describe("what goes out", () => {
  test("BEGIN, PARAMS and the ends of both streams, in that order", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const response = await new GatewayClient(upstream).request({ uri: "/a%20b?c=d" });
    expect(await text(response.body)).toBe("hello");
    const sent = records(upstream.peers[0]!.received);
    expect(sent.map(({ type, content }) => [type, content.length === 0])).toEqual([
      [BEGIN, false],
      [PARAMS, false],
      [PARAMS, true],
      [STDIN, true],
    ]);
    expect(sent[0]!.content.toString("hex")).toBe("0001000000000000"); // a responder; the connection is not kept
    expect(sent.every(({ id }) => id === 1)).toBe(true);
  });

  test("the variables of the request", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const response = await new GatewayClient(upstream).request({
      method: "POST",
      uri: "/a%20b/%2e?c=d&e",
      headers: ["Host", "example.test:8080", "Content-Type", "text/plain", "X-Two", "1", "x-two", "2"],
      params: { SCRIPT_FILENAME: "/srv/a.php", SERVER_NAME: "told" },
      body: Buffer.from("body"),
    });
    response.body.resume();
    expect(variables(upstream.peers[0]!.received)).toMatchObject({
      REQUEST_METHOD: "POST",
      REQUEST_URI: "/a%20b/%2e?c=d&e",
      QUERY_STRING: "c=d&e",
      SCRIPT_NAME: "",
      PATH_INFO: "/a b/.",
      DOCUMENT_URI: "/a b/.",
      CONTENT_LENGTH: "4",
      CONTENT_TYPE: "text/plain",
      HTTP_HOST: "example.test:8080",
      HTTP_X_TWO: "1, 2",
      SERVER_PORT: "8080",
      SERVER_NAME: "told",
      REMOTE_ADDR: "127.0.0.1",
      GATEWAY_INTERFACE: "CGI/1.1",
      SERVER_PROTOCOL: "HTTP/1.1",
      SCRIPT_FILENAME: "/srv/a.php",
    });
  });

  test("no field that could harm or that belongs to another connection", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const headers = [
      "Proxy",
      "http://evil",
      "Connection",
      "close, X-Hop",
      "X-Hop",
      "1",
      "TE",
      "trailers",
      "X-End",
      "2",
    ];
    const response = await new GatewayClient(upstream).request({ uri: "/", headers });
    response.body.resume();
    const names = Object.keys(variables(upstream.peers[0]!.received)).filter((name) =>
      name.startsWith("HTTP_"),
    );
    expect(names.sort()).toEqual(["HTTP_HOST", "HTTP_X_END"]);
  });

  test.for([
    ["GET", [], ""],
    ["GET", ["content-length", "0"], "0"],
    ["POST", [], "0"],
  ] as const)("CONTENT_LENGTH without a body: %s %j", async ([method, headers, expected], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    (await new GatewayClient(upstream).request({ method, uri: "/", headers })).body.resume();
    expect(variables(upstream.peers[0]!.received).CONTENT_LENGTH).toBe(expected);
  });

  test("the path of an absolute request target", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    (await new GatewayClient(upstream).request({ uri: "http://a.test/b?c" })).body.resume();
    expect(variables(upstream.peers[0]!.received)).toMatchObject({
      REQUEST_URI: "http://a.test/b?c",
      PATH_INFO: "/b",
      QUERY_STRING: "c",
    });
  });

  test.for([0, 1, 65_535, 65_536, 1_000_003])(
    "a body of %i bytes, from a buffer",
    async (size, { sandbox }) => {
      const body = Buffer.alloc(size, "abcdefg");
      const upstream = await fakeUpstream(sandbox, replying(HELLO));
      const response = await new GatewayClient(upstream).request({ method: "PUT", uri: "/", body });
      expect(response.status).toBe(200);
      response.body.resume();
      const { received } = upstream.peers[0]!;
      expect(stream(received, STDIN).equals(body)).toBe(true);
      expect(variables(received).CONTENT_LENGTH).toBe(String(size));
    },
  );

  test("a stream of unknown length goes out as it comes, without CONTENT_LENGTH", async ({ sandbox }) => {
    const source = new Readable({ read() {} });
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => stream(bytes, STDIN).length === 3, "the first part");
      source.push("def");
      source.push(null);
      await peer.request();
      peer.socket.write(HELLO);
    });
    source.push("abc");
    const response = await new GatewayClient(upstream).request({ method: "POST", uri: "/", body: source });
    response.body.resume();
    const { received } = upstream.peers[0]!;
    expect(stream(received, STDIN).toString()).toBe("abcdef");
    expect(variables(received).CONTENT_LENGTH).toBe("");
  });
});

describe("what comes back", () => {
  const LONG = answer(`Status: 201 Made\nSet-Cookie: a=1\nSet-Cookie: b=2\nX-Y:  z \n\n${"body".repeat(40)}`);
  const MIXED = Buffer.concat([
    record(STDERR, "\u00c3", { padding: 3 }),
    record(STDERR, "\u00a4oops\n"),
    record(STDOUT, "Status: 201 Made\r\nSet-Cookie: a=1\r", { padding: 255 }),
    record(STDOUT, "stray", { id: 2 }),
    record(STDOUT, "\nSet-Cookie: b=2\r\nX-Y: z\r\n\r\nbodybody"),
    record(11, "????????", { id: 0 }),
    record(STDERR, "again"),
    record(STDOUT, "body".repeat(38)),
    record(STDERR),
    record(STDOUT),
    endRequest(),
  ]);

  test.for([
    ["whole", LONG, false, ""],
    ["byte by byte", LONG, true, ""],
    ["in mixed records, whole", MIXED, false, "\u00e4oops\nagain"],
    ["in mixed records, byte by byte", MIXED, true, "\u00e4oops\nagain"],
  ] as const)("a response %s", async ([, bytes, dripped, stderr], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      if (dripped) await peer.drip(bytes);
      else peer.socket.write(bytes);
    });
    const heard: string[] = [];
    const onStderr = (piece: string) => void heard.push(piece);
    const response = await new GatewayClient(upstream).request({ uri: "/", onStderr });
    expect(response).toMatchObject({ status: 201, reason: "Made" });
    expect(response.headers).toEqual(["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Y", "z"]);
    expect(await text(response.body)).toBe("body".repeat(40));
    expect(response.stderr()).toBe(stderr);
    expect(heard.join("")).toBe(stderr);
    expect(response.timings.totalMs).toBeGreaterThanOrEqual(response.timings.headMs);
    await upstream.peers[0]!.gone;
  });

  test("is passed on as it comes", async ({ sandbox }) => {
    let goOn = (): void => {};
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      peer.socket.write(record(STDOUT, "Status: 200\r\n\r\n"));
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      peer.socket.write(record(STDOUT, "first"));
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      peer.socket.write(Buffer.concat([record(STDOUT, "second"), record(STDOUT), endRequest()]));
    });
    const { body } = await new GatewayClient(upstream).request({ uri: "/" });
    goOn();
    const pieces: string[] = [];
    for await (const piece of body) {
      pieces.push(String(piece));
      goOn();
    }
    expect(pieces).toEqual(["first", "second"]);
  });

  test.for([
    ["HEAD", "Status: 200 OK\r\nContent-Length: 5\r\n\r\n"],
    ["HEAD", "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
    ["GET", "Status: 204 No Content\r\n\r\nstray"],
    ["GET", "Status: 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
  ])("no body to %s, whatever is sent: %j", async ([method, cgi], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(answer(cgi!)));
    const response = await new GatewayClient(upstream).request({ method: method!, uri: "/" });
    expect((await buffer(response.body)).length).toBe(0);
  });

  test("bytes past Content-Length are dropped", async ({ sandbox }) => {
    const upstream = await fakeUpstream(
      sandbox,
      replying(answer("Status: 200\r\nContent-Length: 3\r\n\r\nhello")),
    );
    const response = await new GatewayClient(upstream).request({ uri: "/" });
    expect(await text(response.body)).toBe("hel");
  });

  test("an answer before the body was wanted ends the upload", async ({ sandbox }) => {
    const source = new Readable({ read() {} });
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => stream(bytes, STDIN).length > 0, "some body");
      peer.socket.write(answer("Status: 413\r\n\r\ntoo long"));
    });
    source.push("some");
    const client = new GatewayClient({ ...upstream, keepAlive: true });
    const response = await client.request({ method: "POST", uri: "/", body: source });
    expect(await text(response.body)).toBe("too long");
    await upstream.peers[0]!.gone; // Half a request was sent on it: it cannot be kept.
    expect(source.destroyed).toBe(false);
    expect(source.isPaused()).toBe(true);
    source.destroy(new Error("nobody minds any more"));
  });
});

describe("conformance vectors", () => {
  interface Vector {
    readonly name: string;
    readonly direction: string;
    readonly input_hex: string;
    readonly expect: {
      readonly values?: unknown;
      readonly status: number;
      readonly headers: Record<string, string>;
      readonly body_latin1: string;
      readonly stderr_latin1: string;
      readonly error: string | null;
    };
  }
  const file = new URL("../../fixtures/vectors/protocol-vectors.json", import.meta.url);
  const { vectors } = JSON.parse(readFileSync(file, "utf8")) as { vectors: Vector[] };
  const responses = vectors.filter((v) => v.direction === "to-client" && v.expect.values === undefined);
  /** What our errors say for what the vectors name. */
  const CODES: Record<string, string> = {
    FCGI_OVERLOADED: "GWPM_REJECTED",
    FCGI_CANT_MPX_CONN: "GWPM_REJECTED",
    CGI_TRUNCATED_HEADERS: "GWPM_BAD_RESPONSE",
    FCGI_BAD_END: "GWPM_BAD_RESPONSE",
  };

  test("there are some", () => expect(responses.length).toBeGreaterThan(10));

  test.for(responses)("$name", async (vector, { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(Buffer.from(vector.input_hex, "hex")));
    const { expect: wanted } = vector;
    const client = new GatewayClient(upstream);
    const attempt = client.request({ uri: "/" }).then(async (response) => ({
      status: response.status,
      headers: Object.fromEntries(pairs(response.headers)),
      body_latin1: await text(response.body),
      stderr_latin1: response.stderr(),
    }));
    if (wanted.error !== null) {
      expect((await failureOf(attempt)).code).toBe(CODES[wanted.error]);
    } else {
      const { status, headers, body_latin1, stderr_latin1 } = wanted;
      expect(await attempt).toEqual({ status, headers, body_latin1, stderr_latin1 });
    }
  });

  function* pairs(list: string[]): Generator<[string, string]> {
    for (let i = 0; i < list.length; i += 2) yield [list[i]!.toLowerCase(), list[i + 1]!];
  }
});

describe("what is no answer", () => {
  const WHOLE = Buffer.concat([
    record(STDERR, "e"),
    record(STDOUT, "Status: 200 OK\r\nX-A: b\r\n\r\nhe"),
    record(STDOUT, "llo", { padding: 5 }),
    record(STDOUT),
    endRequest(),
  ]);

  test.for(["closed", "reset"])("a response cut off at any byte and then %s", async (how, { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer, index) => {
      await peer.request();
      peer.socket.write(WHOLE.subarray(0, index));
      if (how === "closed") peer.socket.end();
      // A Unix socket that is closed with bytes unread resets; the peer has read all, so these come too late for it.
      else peer.socket.destroySoon();
    });
    const client = new GatewayClient(upstream);
    for (let cut = 0; cut < WHOLE.length; cut++) {
      const attempt = client.request({ uri: "/" }).then(({ body }) => text(body));
      const error = await failureOf(attempt);
      expect(error.code, `cut at byte ${cut}`).toBe("GWPM_TRUNCATED");
      expect(error.message).toContain("closed the connection before");
    }
    const { body } = await client.request({ uri: "/" });
    expect(await text(body)).toBe("hello");
  });

  test.for([
    ["an HTTP server's answer", "HTTP/1.1 400 Bad Request\r\n\r\n", "GWPM_BAD_RESPONSE"],
    ["END_REQUEST alone", endRequest(), "GWPM_BAD_RESPONSE"],
    ["END_REQUEST alone, overloaded", endRequest(2), "GWPM_REJECTED"],
    ["END_REQUEST alone, unknown role", endRequest(3), "GWPM_REJECTED"],
    ["a head that is none", answer("no colon here\r\n\r\nx"), "GWPM_BAD_RESPONSE"],
    ["a head without end", answer("Status: 200 OK\r\nX: y"), "GWPM_BAD_RESPONSE"],
    ["a status that is none", answer("Status: fine\r\n\r\n"), "GWPM_BAD_RESPONSE"],
    ["an interim status", answer("Status: 103 Early Hints\r\n\r\n"), "GWPM_BAD_RESPONSE"],
    ["a switch of protocols", answer("Status: 101 Switching Protocols\r\n\r\n"), "GWPM_BAD_RESPONSE"],
    [
      "a Content-Length that is none",
      answer("Status: 200\r\nContent-Length: -1\r\n\r\n"),
      "GWPM_BAD_RESPONSE",
    ],
    [
      "two Content-Lengths",
      answer("Status: 200\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
      "GWPM_BAD_RESPONSE",
    ],
  ] as const)("%s", async ([, bytes, code], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(Buffer.from(bytes as string, "latin1")));
    const error = await failureOf(new GatewayClient(upstream).request({ uri: "/" }));
    expect(error.code).toBe(code);
    expect(error.message).toContain("up.sock");
    await upstream.peers[0]!.gone;
  });

  test("less than Content-Length", async ({ sandbox }) => {
    const upstream = await fakeUpstream(
      sandbox,
      replying(answer("Status: 200\r\nContent-Length: 9\r\n\r\nhello")),
    );
    const { body } = await new GatewayClient(upstream).request({ uri: "/" });
    const error = await failureOf(buffer(body));
    expect(error.code).toBe("GWPM_TRUNCATED");
    expect(error.message).toContain("4 bytes");
  });

  test("a head without end, in a stream without end, within bounded memory", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      const junk = record(STDOUT, Buffer.alloc(65_528, "X"));
      const more = (): void => {
        while (peer.socket.write(junk));
      };
      peer.socket.on("drain", more);
      more();
    });
    const error = await failureOf(new GatewayClient(upstream).request({ uri: "/", timeoutMs: 300 }));
    expect(["GWPM_BAD_RESPONSE", "GWPM_TIMED_OUT"]).toContain(error.code);
    await upstream.peers[0]!.gone;
  });

  test("random bytes end in an error of ours, never in a crash", async ({ sandbox }) => {
    let seed = 20_260_101;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed % below;
    };
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      const bytes = Buffer.from(WHOLE);
      for (let i = random(6); i >= 0; i--) bytes[random(bytes.length)] = random(256);
      peer.socket.end(bytes);
    });
    const client = new GatewayClient({ ...upstream, keepAlive: true });
    for (let round = 0; round < 200; round++) {
      const attempt = client.request({ uri: "/" }).then(({ body }) => buffer(body));
      const outcome = await attempt.catch((error: unknown) => error);
      expect(Buffer.isBuffer(outcome) || outcome instanceof GatewayError, `round ${round}: ${outcome}`).toBe(
        true,
      );
    }
    client.close();
  });
});

describe("GET_VALUES", () => {
  test.for([
    [
      "libfcgi's answer",
      "010a0000003305000e01464347495f4d41585f434f4e4e53310d01464347495f4d41585f52455153310f01464347495f4d5058535f434f4e4e53300000000000",
      { FCGI_MAX_CONNS: "1", FCGI_MAX_REQS: "1", FCGI_MPXS_CONNS: "0" },
    ],
    ["a server that does not know the question", "010b0000000800000900000000000000", null],
  ] as const)("%s", async ([, hex, values], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => records(bytes).length > 0, "the question");
      await peer.drip(Buffer.from(hex, "hex"));
    });
    const answered = await getValues(upstream.address);
    expect(answered === null ? null : Object.fromEntries(answered)).toEqual(values);
    const [question] = records(upstream.peers[0]!.received);
    expect(question).toMatchObject({ type: 9, id: 0 });
    await upstream.peers[0]!.gone;
  });

  test("a server that is silent, hangs up, or speaks otherwise", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, (peer, index) => {
      if (index === 1) peer.socket.end();
      if (index === 2) peer.socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    expect((await failureOf(getValues(upstream.address, { timeoutMs: 20 }))).code).toBe("GWPM_TIMED_OUT");
    expect((await failureOf(getValues(upstream.address))).code).toBe("GWPM_TRUNCATED");
    expect((await failureOf(getValues(upstream.address))).code).toBe("GWPM_BAD_RESPONSE");
  });
});
