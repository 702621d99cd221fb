/**
 * Named pipes for workers' output. Both the supervisor and the worker hold them open for reading and writing, so a
 * writer never sees EPIPE when the supervisor dies, and the next supervisor can open them again by name.
 */

import * as fs from "node:fs";
import { libc } from "./libc.ts";

/** Makes a named pipe with mode 0600, in place of whatever was there. */
export function makeFifo(path: string): void {
  fs.rmSync(path, { force: true });
  libc("mkfifo", `Cannot create the pipe ${path}`, path, 0o600);
}

/** Opens a named pipe for the supervisor's side. */
export function openFifo(path: string): number {
  return fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
}

/** Opens a named pipe for a worker's fd 1 or 2: a file description of its own, so that its flags are its own. */
export function openFifoForWorker(path: string): number {
  return fs.openSync(path, fs.constants.O_RDWR);
}

/** Reads what is in the pipe now, without waiting. */
export function readAvailable(fd: number, onChunk: (chunk: Buffer) => void): void {
  for (;;) {
    const buffer = Buffer.allocUnsafe(65_536);
    let count: number;
    try {
      count = fs.readSync(fd, buffer, 0, buffer.length, null);
    } catch {
      return; // EAGAIN: empty
    }
    if (count === 0) return;
    onChunk(buffer.subarray(0, count));
  }
}
