/** What reading a configuration asks of the machine, behind an interface so that tests can be another machine. */

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { allowedCpus } from "./cpus.ts";

export interface Host {
  /** 0 is root. */
  readonly uid: number;
  readonly home: string;
  /** Such as `v20.19.0`. */
  readonly nodeVersion: string;
  /** Whether this Node runs `.ts` files as they are (22.18 and newer). */
  readonly runsTypeScript: boolean;
  /** Whether this process was started with a module that may make it do so, such as tsx. */
  readonly hasLoader: boolean;
  /** Runs a module, from its URL. */
  importModule(url: string): Promise<Record<string, unknown>>;
  /** How many CPUs the machine and our cgroup let us use, at least 1. */
  cpus(): number;
  userExists(name: string): boolean;
  groupExists(name: string): boolean;
}

const PRELOAD = /^(--import|--loader|--experimental-loader|--require|-r)(=|$)|^--experimental-strip-types$/;

export const thisHost: Host = {
  uid: process.getuid?.() ?? -1,
  get home() {
    try {
      return homedir();
    } catch {
      return "/"; // A uid without an entry in passwd, as containers have them.
    }
  },
  nodeVersion: process.version,
  // Not in the types of Node 20, which has no such feature.
  runsTypeScript: Boolean((process.features as { typescript?: string | false }).typescript),
  hasLoader: hasLoader([...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(" ")]),
  importModule: (url) => import(/* @vite-ignore */ url),
  cpus: () => allowedCpus(),
  userExists: (name) => hasEntry("/etc/passwd", name),
  groupExists: (name) => hasEntry("/etc/group", name),
};

/** Whether arguments of Node preload something: it may well be a loader for TypeScript. */
export function hasLoader(nodeArgs: readonly string[]): boolean {
  return nodeArgs.some((arg) => PRELOAD.test(arg));
}

/** The first field of a line of passwd(5) or group(5) is the name. */
function hasEntry(file: string, name: string): boolean {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .some((line) => line.startsWith(`${name}:`));
  } catch {
    return false;
  }
}
