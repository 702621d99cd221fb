/** Uploads and downloads of any size, in bounded memory on our side too. */

import { createHash } from "node:crypto";
import { request } from "node:http";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Target } from "./http.ts";
import { rssBytes } from "./processes.ts";

export interface Digest {
  readonly length: number;
  readonly sha256: string;
}

const BLOCK = Buffer.alloc(256 * 1024, "The quick brown fox jumps over the lazy dog. ");

function* blocks(total: number): Generator<Buffer> {
  for (let left = total; left > 0; left -= BLOCK.length)
    yield BLOCK.subarray(0, Math.min(left, BLOCK.length));
}

/** What a transfer of so many bytes must come to at the other end. */
export function expectedDigest(total: number): Digest {
  const hash = createHash("sha256");
  for (const block of blocks(total)) hash.update(block);
  return { length: total, sha256: hash.digest("hex") };
}

/** POSTs so many bytes; @returns the answer's text */
export async function upload(target: Target, path: string, total: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...socketOf(target),
      method: "POST",
      path,
      headers: { host: "gwpm.test", "content-type": "application/octet-stream", "content-length": total },
    });
    outgoing.once("response", async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve(text);
    });
    pipeline(Readable.from(blocks(total)), outgoing).catch(reject);
  });
}

/** GETs to the end, keeping nothing. */
export async function download(target: Target, path: string): Promise<Digest> {
  const hash = createHash("sha256");
  let length = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      length += chunk.length;
      done();
    },
  });
  await new Promise<void>((resolve, reject) => {
    const outgoing = request({ ...socketOf(target), path, headers: { host: "gwpm.test" } });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => pipeline(response, sink).then(resolve, reject));
    outgoing.end();
  });
  return { length, sha256: hash.digest("hex") };
}

/** How often a process's memory is looked at while something runs. */
const SAMPLE_MS = 50;

/** Runs an action; @returns its result, and by how much the process's resident memory exceeded its start at most, in bytes */
export async function watchingMemory<T>(
  pid: number,
  action: () => Promise<T>,
): Promise<{ result: T; growth: number }> {
  const start = rssBytes(pid);
  if (start === undefined) throw new Error(`Process ${pid} has gone`);
  let most = start;
  const sampler = setInterval(() => {
    most = Math.max(most, rssBytes(pid) ?? 0);
  }, SAMPLE_MS);
  try {
    const result = await action();
    return { result, growth: most - start };
  } finally {
    clearInterval(sampler);
  }
}

function socketOf(target: Target): { socketPath: string } | { host: string; port: number } {
  return "path" in target ? { socketPath: target.path } : target;
}
