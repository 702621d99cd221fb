/** Facts about processes, read from /proc. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface FoundProcess {
  readonly pid: number;
  readonly command: string;
}

/** True while the process exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  const state = statFields(pid)?.[0];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Resident memory in bytes; `undefined` once the process has gone. */
export function rssBytes(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(pid, "status") ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

export function parentOf(pid: number): number | undefined {
  const ppid = statFields(pid)?.[1];
  return ppid === undefined ? undefined : Number(ppid);
}

export function childrenOf(pid: number): number[] {
  return allPids().filter((candidate) => parentOf(candidate) === pid);
}

/** CPU time spent so far in clock ticks (user and system): whether a process spins. */
export function cpuTicks(pid: number): number | undefined {
  const fields = statFields(pid);
  return fields === undefined ? undefined : Number(fields[11]) + Number(fields[12]);
}

/**
 * Every live process that belongs to a test's folder: by a variable in its environment, its working directory
 * or its command line. (A pool with `clearEnv` has no variable, a `cd /` no directory.)
 */
export function processesOf(folder: string): FoundProcess[] {
  return allPids()
    .filter((pid) => pid !== process.pid && isAlive(pid) && belongsTo(pid, folder))
    .map((pid) => ({ pid, command: commandLine(pid) }));
}

function belongsTo(pid: number, folder: string): boolean {
  if (read(pid, "environ")?.includes(folder) === true) return true;
  if (read(pid, "cmdline")?.includes(folder) === true) return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
  } catch {
    return false; // gone meanwhile, or another user's
  }
}

function commandLine(pid: number): string {
  return (read(pid, "cmdline") ?? "").replaceAll("\0", " ").trim();
}

function allPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The fields of /proc/pid/stat after the command name, which may itself hold blanks and brackets: proc(5). */
function statFields(pid: number): string[] | undefined {
  const stat = read(pid, "stat");
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return undefined; // gone meanwhile, or another user's
  }
}
