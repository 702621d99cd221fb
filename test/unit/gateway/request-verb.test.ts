/** `gwpm request`, from its arguments to its output and exit code. */

import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { main } from "../../../src/cli/main.ts";
import type { Sandbox } from "../../support/sandbox.ts";
import { describe, expect, test } from "../../support/test.ts";
import {
  answer,
  fakeUpstream,
  HELLO,
  type Peer,
  record,
  STDERR,
  STDIN,
  STDOUT,
  stream,
  variables,
} from "./fake-upstream.ts";

interface Outcome {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

async function run(sandbox: Sandbox, ...args: string[]): Promise<Outcome> {
  const chunks: Buffer[] = [];
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  const stderr = new PassThrough();
  const told = text(stderr);
  const code = await main(["request", ...args], { stdout, stderr, cwd: sandbox.dir, env: {}, isTty: false });
  stderr.end();
  return { code, stdout: Buffer.concat(chunks), stderr: await told };
}

const replying =
  (bytes: Buffer) =>
  async (peer: Peer): Promise<void> => {
    await peer.request();
    peer.socket.write(bytes);
  };

const unix = (sandbox: Sandbox): string => `unix:${sandbox.path("up.sock")}`;

describe("output", () => {
  const BYTES = Buffer.from([0, 255, 128, 10, 13]);
  const BINARY = Buffer.concat([
    record(STDERR, "warning\n"),
    answer(
      Buffer.concat([
        Buffer.from("Status: 404 Not Found\r\nX-A: 1\r\nx-a: 2\r\nX-B: \u00e9\r\n\r\n", "latin1"),
        BYTES,
      ]),
    ),
  ]);

  test("is the body as it is; FCGI_STDERR goes to stderr", async ({ sandbox }) => {
    await fakeUpstream(sandbox, replying(BINARY));
    const { code, stdout, stderr } = await run(sandbox, unix(sandbox), "/");
    expect(stdout.equals(BYTES)).toBe(true);
    expect(stderr).toBe("warning\n");
    expect(code).toBe(0);
  });

  test("-i puts the head before it", async ({ sandbox }) => {
    await fakeUpstream(sandbox, replying(BINARY));
    const { stdout } = await run(sandbox, "-i", unix(sandbox), "/");
    expect(stdout.toString("latin1")).toBe(
      `HTTP/1.1 404 Not Found\r\nX-A: 1\r\nx-a: 2\r\nX-B: \u00e9\r\n\r\n${BYTES.toString("latin1")}`,
    );
  });

  test("--json is one document, the body in base64 where it is no text", async ({ sandbox }) => {
    await fakeUpstream(sandbox, replying(BINARY));
    const { stdout, stderr } = await run(sandbox, "--json", unix(sandbox), "/");
    expect(JSON.parse(stdout.toString())).toEqual({
      status: 404,
      reason: "Not Found",
      headers: { "x-a": ["1", "2"], "x-b": "\u00e9" },
      body: BYTES.toString("base64"),
      bodyEncoding: "base64",
      stderr: "warning\n",
      timings: { connectedMs: expect.any(Number), headMs: expect.any(Number), totalMs: expect.any(Number) },
    });
    expect(stderr).toBe("");
  });

  test("--json of a text", async ({ sandbox }) => {
    await fakeUpstream(sandbox, replying(HELLO));
    const { stdout } = await run(sandbox, "--json", unix(sandbox), "/");
    expect(JSON.parse(stdout.toString())).toMatchObject({ body: "hello", bodyEncoding: "utf8" });
  });

  test("--fail makes an error of an answer from 400 on", async ({ sandbox }) => {
    await fakeUpstream(sandbox, (peer, index) => replying(index === 0 ? BINARY : HELLO)(peer));
    expect((await run(sandbox, "--fail", unix(sandbox), "/")).code).toBe(1);
    expect((await run(sandbox, "-f", unix(sandbox), "/")).code).toBe(0);
  });
});

describe("the request", () => {
  test("-X, -H, --param, -d and UTF-8", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const { code } = await run(
      sandbox,
      ...["-X", "PUT", "-H", "X-Name: Jos\u00e9", "-H", "Content-Type:text/plain", "-d", "caf\u00e9"],
      ...["--param", "SCRIPT_FILENAME=/srv/\u00e9=.php", unix(sandbox), "/caf\u00e9?\u{1f600}"],
    );
    expect(code).toBe(0);
    const { received } = upstream.peers[0]!;
    expect(variables(received)).toMatchObject({
      REQUEST_METHOD: "PUT",
      REQUEST_URI: "/caf%C3%A9?%F0%9F%98%80",
      CONTENT_LENGTH: "5",
      CONTENT_TYPE: "text/plain",
      HTTP_X_NAME: Buffer.from("Jos\u00e9").toString("latin1"),
      SCRIPT_FILENAME: Buffer.from("/srv/\u00e9=.php").toString("latin1"),
    });
    expect(stream(received, STDIN).toString()).toBe("caf\u00e9");
  });

  test("-d makes it a POST of a form", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    await run(sandbox, unix(sandbox), "/", "-d", "a=b");
    expect(variables(upstream.peers[0]!.received)).toMatchObject({
      REQUEST_METHOD: "POST",
      CONTENT_TYPE: "application/x-www-form-urlencoded",
    });
  });

  test("-d @FILE, relative to the folder of the command", async ({ sandbox }) => {
    sandbox.write("body.bin", "from a file");
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    await run(sandbox, unix(sandbox), "/", "-d", "@body.bin");
    expect(stream(upstream.peers[0]!.received, STDIN).toString()).toBe("from a file");
    expect(variables(upstream.peers[0]!.received).CONTENT_LENGTH).toBe("11");
  });

  test("--protocol scgi", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => bytes.includes("SCGI"), "the request");
      peer.socket.end("Status: 200\r\n\r\nhello");
    });
    const { stdout } = await run(sandbox, "--protocol", "scgi", unix(sandbox), "/");
    expect(stdout.toString()).toBe("hello");
    expect(upstream.peers[0]!.received.toString("latin1")).toMatch(
      /^\d+:CONTENT_LENGTH\x000\x00SCGI\x001\x00/,
    );
  });

  test("--protocol http", async ({ sandbox }) => {
    await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => bytes.includes("\r\n\r\n"), "the request");
      peer.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    });
    expect((await run(sandbox, "--protocol", "http", unix(sandbox), "/")).stdout.toString()).toBe("hello");
  });
});

describe("failures", () => {
  test("no socket: 1, and what to do", async ({ sandbox }) => {
    const { code, stderr, stdout } = await run(sandbox, unix(sandbox), "/");
    expect(code).toBe(1);
    expect(stderr).toBe(`gwpm: Cannot reach ${unix(sandbox)}: no such file; is the pool running?\n`);
    expect(stdout.length).toBe(0);
  });

  test("a response that breaks off: 1, after what came", async ({ sandbox }) => {
    await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      peer.socket.end(record(STDOUT, "Status: 200\r\n\r\nhalf"));
    });
    const { code, stderr, stdout } = await run(sandbox, unix(sandbox), "/");
    expect(stdout.toString()).toBe("half");
    expect(stderr).toContain("closed the connection before the response was complete");
    expect(code).toBe(1);
  });

  test("--timeout: 124", async ({ sandbox }) => {
    await fakeUpstream(sandbox, () => {});
    const { code, stderr } = await run(sandbox, unix(sandbox), "/", "--timeout", "30ms");
    expect(stderr).toContain("30 ms");
    expect(code).toBe(124);
  });

  test.for([
    [["nowhere", "/"], "is not an address"],
    [["unix:/x", "status"], "no path"],
    [["unix:/x", "/a b"], "%20"],
    [["unix:/x"], "missing required argument 'uri'"],
    [["unix:/x", "/", "more"], "too many arguments"],
    [["unix:/x", "/", "--protocol", "uwsgi"], "Write fastcgi, scgi or http"],
    [["unix:/x", "/", "--timeout", "soon"], "--timeout"],
    [["unix:/x", "/", "-H", "no colon"], "Name: value"],
    [["unix:/x", "/", "-H", "A: b\r\nC: d"], "is not a header"],
    [["unix:/x", "/", "--param", "novalue"], "NAME=VALUE"],
    [["http://127.0.0.1:1", "/", "--param", "A=b"], "HTTP carries no CGI variables"],
    [["unix:/x", "/", "-X", "A B"], "not a method"],
  ] as const)("%j is a usage error", async ([args, said], { sandbox }) => {
    const { code, stderr } = await run(sandbox, ...args);
    expect(stderr).toContain(said);
    expect(code).toBe(2);
  });

  test("a body file that is not there: 1", async ({ sandbox }) => {
    const { code, stderr } = await run(sandbox, "unix:/x", "/", "-d", "@none");
    expect(stderr).toContain("cannot read the request body");
    expect(code).toBe(1);
  });

  test("http:// without a port is port 80", async ({ sandbox }) => {
    // Nobody listens on port 80 of this address of the loopback network.
    const { code, stderr } = await run(sandbox, "http://127.199.1.1/", "/");
    expect(stderr).toContain("Cannot reach 127.199.1.1:80");
    expect(code).toBe(1);
  });
});
