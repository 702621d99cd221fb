/** Takes a listening socket back from a worker that outlived its supervisor (pidfd_open(2), pidfd_getfd(2)). */

import * as fs from "node:fs";
import { libc } from "./libc.ts";

// The same numbers on every architecture that Node runs on.
const SYS_pidfd_open = 434;
const SYS_pidfd_getfd = 438;

/**
 * Duplicates another process's fd into this one (close-on-exec).
 *
 * @throws SystemError `EPERM` where ptrace(2)'s rules forbid it (Yama, another uid, a container's seccomp filter), `ENOSYS` before Linux 5.6
 */
export function duplicateFdOf(pid: number, fd: number): number {
  const doing = `Cannot take fd ${fd} over from process ${pid}`;
  const pidfd = libc("syscall", doing, SYS_pidfd_open, pid, 0, 0);
  try {
    return libc("syscall", doing, SYS_pidfd_getfd, pidfd, fd, 0);
  } finally {
    fs.closeSync(pidfd);
  }
}
