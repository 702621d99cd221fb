/** What `/proc` says of a process. Elsewhere than on Linux everything here is `undefined`. */

import * as fs from "node:fs";

/**
 * When a process was started, in clock ticks since the machine's boot (proc(5), field 22 of `stat`). Together with
 * the pid it names one process for ever: pids are used again, the pair is not.
 */
export function startTimeOf(pid: number): number | undefined {
  let stat: string;
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The command name, field 2, is in parentheses and may contain anything, blanks and parentheses included.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z") return undefined;
  return Number(fields[19]);
}

/** @returns whether the very process that had this pid and start time still lives (a zombie does not) */
export function isAlive(pid: number, startTime: number): boolean {
  return startTimeOf(pid) === startTime;
}

/** Resident memory in bytes (proc(5), `VmRSS`); `undefined` where there is no such process. */
export function residentBytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
