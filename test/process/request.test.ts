/** `gwpm request` as a process: what it does with its own stdin and stdout. */

import { runGwpm } from "../support/gwpm.ts";
import { GWPM_BIN } from "../support/paths.ts";
import { expect, test } from "../support/test.ts";
import {
  endRequest,
  fakeUpstream,
  HELLO,
  record,
  STDIN,
  STDOUT,
  stream,
  variables,
} from "../unit/gateway/fake-upstream.ts";

test("-d - sends stdin, its length known beforehand", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await peer.request();
    peer.socket.write(HELLO);
  });
  const input = Buffer.alloc(3_000_000, "stdin ");
  const result = await runGwpm(sandbox, ["request", sandbox.path("up.sock"), "/", "-d", "-"], { input });
  expect(result).toMatchObject({ code: 0, stdout: "hello", stderr: "" });
  const { received } = upstream.peers[0]!;
  expect(variables(received)).toMatchObject({ REQUEST_METHOD: "POST", CONTENT_LENGTH: String(input.length) });
  expect(stream(received, STDIN).equals(input)).toBe(true);
});

test("a reader that has seen enough is no error", async ({ sandbox }) => {
  await fakeUpstream(sandbox, async (peer) => {
    await peer.request();
    peer.socket.write(record(STDOUT, "Status: 200\r\n\r\nfirst line\n"));
    for (let i = 0; i < 200; i++) peer.socket.write(record(STDOUT, Buffer.alloc(65_528, "z")));
    peer.socket.write(Buffer.concat([record(STDOUT), endRequest()]));
  });
  const script = '"$0" "$1" request "$2" / | head -n 1; echo "$PIPESTATUS"';
  const argv = ["bash", "-c", script, process.execPath, GWPM_BIN, sandbox.path("up.sock")] as const;
  const child = await sandbox.start([...argv]);
  expect(await child.wait()).toEqual({ code: 0, signal: null });
  expect(child.stdout.all).toEqual(["first line", "0"]);
  expect(child.stderr.text).toBe("");
});
