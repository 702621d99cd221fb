/** Puts a body of unknown length aside, so that it can be sent with one: in memory while it is small, then in a nameless file. */

import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

export interface SpoolLimits {
  /** Bytes kept in memory. @default 1 MiB */
  readonly memory: number;
  /** Bytes taken at all. @default 4 GiB */
  readonly total: number;
}

export const SPOOL_LIMITS: SpoolLimits = { memory: 1024 ** 2, total: 4 * 1024 ** 3 };

export interface Spooled {
  readonly length: number;
  readonly body: Buffer | Readable;
}

/** The source sent more than the limit. */
export class SpoolOverflow extends Error {}

/**
 * Reads the source to its end. The file, if one was needed, goes when the stream that reads it is closed, or with the process.
 *
 * @param onProgress called for each chunk
 * @throws SpoolOverflow, the signal's reason, what the source throws, and what the file system says
 */
export async function spool(
  source: Readable,
  signal: AbortSignal,
  onProgress: () => void,
  limits: SpoolLimits = SPOOL_LIMITS,
): Promise<Spooled> {
  const chunks: Buffer[] = [];
  let length = 0;
  let file: FileHandle | undefined;
  try {
    for await (const chunk of chunksOf(source, signal)) {
      onProgress();
      length += chunk.length;
      if (length > limits.total) {
        throw new SpoolOverflow(`it is longer than ${limits.total} bytes, and SCGI needs to know its length`);
      }
      chunks.push(chunk);
      if (file !== undefined || length > limits.memory) {
        file ??= await namelessFile();
        for (const buffered of chunks.splice(0)) await file.appendFile(buffered);
      }
    }
  } catch (error) {
    await file?.close();
    throw error;
  }
  if (file === undefined) return { length, body: Buffer.concat(chunks, length) };
  return { length, body: file.createReadStream({ start: 0, autoClose: true }) };
}

/** The source stays intact on a failure: a connection, for one, still has to carry the answer that says so. */
async function* chunksOf(source: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const chunks = source.iterator({ destroyOnReturn: false });
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {}); // It may come when nobody waits any more.
  for (;;) {
    const next = await Promise.race([chunks.next(), aborted]);
    if (next.done === true) return;
    yield typeof next.value === "string" ? Buffer.from(next.value) : next.value;
  }
}

async function namelessFile(): Promise<FileHandle> {
  const path = join(tmpdir(), `gwpm-body-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
