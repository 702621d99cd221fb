/** Our client against programs that others wrote: php-cgi for FastCGI, Python for SCGI and HTTP. */

import { createHash, randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { Readable } from "node:stream";
import { buffer, json, text } from "node:stream/consumers";
import type { Address } from "../../src/core/address.ts";
import { GatewayClient, getValues } from "../../src/gateway/client.ts";
import type { Child } from "../support/child.ts";
import { findPeer, requirePeer } from "../support/peers.ts";
import { listensAt } from "../support/ports.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";

const php = requirePeer("php-cgi");
const python = requirePeer("python3");

const BIG = randomBytes(5 * 1024 ** 2);
const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

const ECHO_PHP = `<?php
$body = file_get_contents("php://input");
if (isset($_GET["fail"])) { error_log("php complains"); http_response_code(500); exit("failed"); }
header("Set-Cookie: a=1"); header("Set-Cookie: b=2", false); header("Content-Type: application/json");
echo json_encode(["pid" => getmypid(), "method" => $_SERVER["REQUEST_METHOD"], "uri" => $_SERVER["REQUEST_URI"],
  "query" => $_GET, "host" => $_SERVER["HTTP_HOST"], "length" => strlen($body), "md5" => md5($body)]);
`;

/** SCGI by the letter of its document, in a few lines of Python's standard library. */
const ECHO_SCGI = `
import hashlib, os, socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        size = b""
        while not size.endswith(b":"): size += self.rfile.read(1)
        fields = self.rfile.read(int(size[:-1])).split(b"\\0")
        assert self.rfile.read(1) == b","
        assert fields[0] == b"CONTENT_LENGTH" and fields[-1] == b""
        env = dict(zip(fields[0:-1:2], fields[1:-1:2]))
        assert env[b"SCGI"] == b"1"
        body = self.rfile.read(int(env[b"CONTENT_LENGTH"]))
        self.wfile.write(b"Status: 201 Made\\r\\nX-Uri: " + env[b"REQUEST_URI"] + b"\\r\\n\\r\\n" + hashlib.md5(body).hexdigest().encode())
server = socketserver.ThreadingUnixStreamServer(sys.argv[1], Handler)
server.daemon_threads = True
server.serve_forever()
`;

const ECHO_HTTP = `
import hashlib, http.server, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    address_string = lambda self: "unix"
    def do_POST(self):
        answer = hashlib.md5(self.rfile.read(int(self.headers["Content-Length"]))).hexdigest().encode()
        self.send_response(201, "Made")
        self.send_header("X-Uri", self.path)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
server = socketserver.ThreadingUnixStreamServer(sys.argv[1], Handler)
server.daemon_threads = True
server.serve_forever()
`;

/** Starts a server and waits until its socket takes connections. */
async function serve(
  sandbox: Sandbox,
  argv: readonly [string, ...string[]],
  path: string,
): Promise<{ child: Child; address: Address }> {
  const child = await sandbox.start(argv, { env: { PHP_FCGI_MAX_REQUESTS: "0" } });
  sandbox.defer(async () => {
    if (child.running) await child.stop("SIGKILL");
    rmSync(path, { force: true });
  });
  await waitFor(() => listensAt(path), { what: `${argv[0]} to listen` });
  return { child, address: { kind: "unix", path } };
}

describe.skipIf(php.missing)(`php-cgi${php.note}`, () => {
  async function start(sandbox: Sandbox) {
    const path = sandbox.path("php.sock");
    const script = sandbox.write("echo.php", ECHO_PHP);
    const { address } = await serve(sandbox, [findPeer("php-cgi")!, "-b", path], path);
    return { address, params: { SCRIPT_FILENAME: script } };
  }

  test("a request, its variables, and two cookies", async ({ sandbox }) => {
    const { address, params } = await start(sandbox);
    const client = new GatewayClient({ address });
    const response = await client.request({
      uri: "/echo.php?a=b%20c",
      headers: ["Host", "example.test"],
      params,
    });
    expect(response.status).toBe(200);
    const cookies = response.headers.filter(
      (_, i) => response.headers[i - 1]?.toLowerCase() === "set-cookie",
    );
    expect(cookies).toEqual(["a=1", "b=2"]);
    expect(await json(response.body)).toMatchObject({
      method: "GET",
      uri: "/echo.php?a=b%20c",
      query: { a: "b c" },
      host: "example.test",
      length: 0,
    });
  });

  test("an upload of 5 MB", async ({ sandbox }) => {
    const { address, params } = await start(sandbox);
    const client = new GatewayClient({ address });
    const response = await client.request({
      method: "POST",
      uri: "/",
      headers: ["Content-Type", "application/octet-stream"],
      params,
      body: BIG,
    });
    expect(await json(response.body)).toMatchObject({ length: BIG.length, md5: md5(BIG) });
  });

  test("kept connections", async ({ sandbox }) => {
    const { address, params } = await start(sandbox);
    const client = new GatewayClient({ address, keepAlive: true });
    const reused = [];
    for (let i = 0; i < 5; i++) {
      const response = await client.request({ uri: "/", params });
      await buffer(response.body);
      reused.push(response.timings.reused);
    }
    expect(reused).toEqual([false, true, true, true, true]);
    client.close();
  });

  test("an error, with what PHP says of it on FCGI_STDERR", async ({ sandbox }) => {
    const { address, params } = await start(sandbox);
    const response = await new GatewayClient({ address }).request({ uri: "/?fail", params });
    expect(response.status).toBe(500);
    expect(await text(response.body)).toBe("failed");
    expect(response.stderr()).toContain("php complains");
  });

  test("a script that is not there", async ({ sandbox }) => {
    const { address } = await start(sandbox);
    const params = { SCRIPT_FILENAME: sandbox.path("none.php") };
    const response = await new GatewayClient({ address }).request({ uri: "/", params });
    expect(response.status).toBe(404);
    expect(await text(response.body)).toContain("No input file specified");
  });

  test("FCGI_GET_VALUES", async ({ sandbox }) => {
    const { address } = await start(sandbox);
    const values = await getValues(address);
    expect(values!.get("FCGI_MPXS_CONNS")).toBe("0");
    expect(values!.size).toBe(3);
  });
});

describe.skipIf(python.missing)(`Python${python.note}`, () => {
  test.for([
    ["scgi", ECHO_SCGI],
    ["http", ECHO_HTTP],
  ] as const)("%s: uploads of known and of unknown length", async ([protocol, program], { sandbox }) => {
    const path = sandbox.path("py.sock");
    const script = sandbox.write("server.py", program);
    const { address } = await serve(sandbox, [findPeer("python3")!, script, path], path);
    const client = new GatewayClient({ address, protocol });
    const post = async (body: Buffer | Readable, headers: string[] = []): Promise<string> => {
      const response = await client.request({ method: "POST", uri: "/a%20b?c", headers, body });
      expect(response).toMatchObject({ status: 201, reason: "Made" });
      expect(response.headers).toContain("/a%20b?c");
      return text(response.body);
    };
    expect(await post(BIG)).toBe(md5(BIG));
    expect(await post(Readable.from([BIG]), ["Content-Length", String(BIG.length)])).toBe(md5(BIG));
    // Python's HTTP server knows nothing of chunks.
    if (protocol === "scgi")
      expect(await post(Readable.from([BIG, BIG]))).toBe(md5(Buffer.concat([BIG, BIG])));
  });
});
