/** A world for verbs to run in: what they print is kept, and nothing of ours leaks in. */

import { Writable } from "node:stream";
import type { Io } from "../../../src/cli/verb.ts";

export class Captured extends Writable {
  text = "";
  isTTY?: boolean;
  columns?: number;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }
}

export interface CapturedIo extends Io {
  readonly stdout: Captured;
  readonly stderr: Captured;
}

/** @param terminal its width, for a world that is one */
export function captureIo(cwd: string, terminal?: number): CapturedIo {
  const [stdout, stderr] = [new Captured(), new Captured()];
  if (terminal !== undefined) {
    for (const stream of [stdout, stderr]) Object.assign(stream, { isTTY: true, columns: terminal });
  }
  return { stdout, stderr, cwd, env: { GWPM_HOME: cwd, TERM: "xterm" }, isTty: terminal !== undefined };
}
