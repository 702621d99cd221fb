/** Puts a body of unknown length aside, so that it can be sent with one: in memory while it is small, then in a nameless file. */

import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Readable, Writable } from "node:stream";
import { Upload } from "./upload.ts";

export interface SpoolLimits {
  /** Bytes kept in memory. */
  readonly memory: number;
  /** Bytes taken at all. */
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
 * On a failure the source stays intact: a connection, for one, still has to carry the answer that says so.
 *
 * @param onProgress called for each chunk
 * @throws SpoolOverflow; the signal's reason; Error of the source or of the file system
 */
export function spool(
  source: Readable,
  signal: AbortSignal,
  onProgress: () => void,
  limits: SpoolLimits = SPOOL_LIMITS,
): Promise<Spooled> {
  return new Promise((resolve, reject) => {
    const sink = new SpoolSink(limits);
    const settle = (): void => signal.removeEventListener("abort", onAbort);
    const fail = (error: Error): void => {
      settle();
      upload.stop();
      sink.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    const upload = new Upload({
      source,
      sink,
      length: null,
      frame: (chunk) => [chunk],
      onProgress,
      onEnd: () => sink.end(),
      onFailure: (what, cause) => fail(new Error(what, { cause })),
    });
    sink.on("error", fail).on("finish", () => {
      settle();
      resolve(sink.take());
    });
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    else upload.start();
  });
}

class SpoolSink extends Writable {
  readonly #limits: SpoolLimits;
  #length = 0;
  #chunks: Buffer[] = [];
  #file: FileHandle | undefined;

  constructor(limits: SpoolLimits) {
    super({ autoDestroy: false });
    this.#limits = limits;
  }

  /** What was written, once it is finished; from then on it is the caller's. */
  take(): Spooled {
    const length = this.#length;
    if (this.#file === undefined) return { length, body: Buffer.concat(this.#chunks, length) };
    return { length, body: this.#file.createReadStream({ start: 0, autoClose: true }) };
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#store([chunk]).then(() => done(), done);
  }

  override _writev(writes: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#store(writes.map(({ chunk }) => chunk)).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#file === undefined) done(error);
    else this.#file.close().then(() => done(error), done);
  }

  async #store(chunks: readonly Buffer[]): Promise<void> {
    for (const { length } of chunks) this.#length += length;
    const { memory, total } = this.#limits;
    if (this.#length > total) {
      throw new SpoolOverflow(`it is longer than ${total} bytes, the most that is put aside to measure it`);
    }
    this.#chunks.push(...chunks);
    if (this.#file === undefined && this.#length <= memory) return;
    this.#file ??= await namelessFile();
    await this.#file.appendFile(Buffer.concat(this.#chunks.splice(0)));
  }
}

async function namelessFile(): Promise<FileHandle> {
  const path = join(tmpdir(), `gwpm-body-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
