/** Tells whether the supervisor that wrote a pid file still lives, for a client that its socket does not answer. */

import { readFileSync, statSync } from "node:fs";

/** The unit of the times in `/proc/<pid>/stat`: USER_HZ, 100 on every platform Node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;
/** A process that began this much later than the file was written did not write it. */
const SLACK_MS = 5_000;

/**
 * @returns the pid in the file, if a process has it that is no zombie and no later bearer of the same number
 *   (run dirs outlive containers, where pids are small and come again); else `null`
 */
export function livePid(pidFile: string): number | null {
  let pid: number;
  let writtenAt: number;
  try {
    pid = Number(/^\s*(\d+)/.exec(readFileSync(pidFile, "latin1"))?.[1]);
    writtenAt = statSync(pidFile).mtimeMs;
  } catch {
    return null;
  }
  if (!Number.isSafeInteger(pid) || pid < 1 || !isRunning(pid)) return null;
  const startedAt = startTime(pid);
  return startedAt !== null && startedAt > writtenAt + SLACK_MS ? null : pid;
}

/** @returns whether there is a process with this pid that has not ended; a zombie has */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return statFields(pid)?.[0] !== "Z";
}

/** Milliseconds since the epoch; `null` where there is no `/proc`. */
function startTime(pid: number): number | null {
  const ticks = Number(statFields(pid)?.[19]);
  if (!Number.isFinite(ticks)) return null;
  try {
    const bootedAt = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1]);
    return Number.isFinite(bootedAt) ? (bootedAt + ticks / TICKS_PER_SECOND) * 1000 : null;
  } catch {
    return null;
  }
}

/** The fields of `/proc/<pid>/stat` from the third, the state, on: the command name before them may contain anything. */
function statFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}
