/** An advisory lock on a file, which the kernel lets go when its holder dies, however it dies. */

import * as fs from "node:fs";
import { codeOf } from "./errno.ts";
import { libc } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the exclusive lock on a file, which is made if need be (mode 0600).
 *
 * @returns the fd that holds the lock as long as it is open, or `undefined` where another process holds it
 */
export function tryLock(path: string): number | undefined {
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  try {
    libc("flock", `Cannot lock ${path}`, fd, LOCK_EX | LOCK_NB);
    return fd;
  } catch (error) {
    fs.closeSync(fd);
    if (codeOf(error) === "EAGAIN" || codeOf(error) === "EWOULDBLOCK") return undefined;
    throw error;
  }
}
