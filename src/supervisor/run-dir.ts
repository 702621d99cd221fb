/** The run dir: who owns it, and what the next supervisor needs to know should this one be killed. */

import * as fs from "node:fs";
import { join } from "node:path";
import { tryLock } from "../system/lock.ts";

/** `<runDir>/state.json`: every process and socket that would outlive the supervisor. */
export interface SavedState {
  readonly version: 1;
  readonly supervisor: { readonly pid: number; readonly startTime: number | null };
  readonly pools: readonly SavedPool[];
}

export interface SavedPool {
  readonly name: string;
  readonly generation: number;
  readonly protocol: string;
  /** In the order of the fds that its workers hold. */
  readonly listeners: readonly string[];
  readonly workers: readonly SavedWorker[];
}

export interface SavedWorker {
  readonly slot: number;
  readonly pid: number;
  /** With the pid, names the process for ever; see `startTimeOf`. */
  readonly startTime: number;
  readonly generation: number;
  /** The listening fds in the worker, and the addresses that they are bound to. */
  readonly listenFds: readonly { readonly fd: number; readonly address: string }[];
  readonly stdout: string;
  readonly stderr: string;
  readonly scoreboard: string | null;
}

export class RunDir {
  readonly path: string;
  #lockFd: number | undefined;

  private constructor(path: string, lockFd: number) {
    this.path = path;
    this.#lockFd = lockFd;
  }

  /**
   * Makes the folder (0711: front ends reach the pools' sockets in it) and takes its lock.
   *
   * @returns undefined where a live supervisor owns it
   */
  static claim(path: string): RunDir | undefined {
    fs.mkdirSync(path, { recursive: true });
    fs.chmodSync(path, 0o711);
    const lockFd = tryLock(join(path, "lock"));
    if (lockFd === undefined) return undefined;
    fs.mkdirSync(join(path, "io"), { recursive: true, mode: 0o700 });
    return new RunDir(path, lockFd);
  }

  /** A path for a worker's pipe or scoreboard. */
  ioPath(name: string): string {
    return join(this.path, "io", name.replaceAll("/", "+"));
  }

  /** What the last supervisor left behind; `undefined` where it left nothing, or nothing that can be read. */
  readState(): SavedState | undefined {
    try {
      const state = JSON.parse(fs.readFileSync(this.#statePath, "utf8")) as SavedState;
      return state.version === 1 && Array.isArray(state.pools) ? state : undefined;
    } catch {
      return undefined;
    }
  }

  /** Replaced whole, so that a reader never sees half of it. */
  writeState(state: SavedState): void {
    fs.writeFileSync(`${this.#statePath}.new`, JSON.stringify(state), { mode: 0o600 });
    fs.renameSync(`${this.#statePath}.new`, this.#statePath);
  }

  /** Removes pipes and scoreboards of workers that are gone. @param keep the paths that are still in use */
  sweep(keep: ReadonlySet<string>): void {
    const folder = join(this.path, "io");
    for (const name of fs.readdirSync(folder)) {
      const path = join(folder, name);
      if (!keep.has(path)) fs.rmSync(path, { force: true, recursive: true });
    }
  }

  /** Lets the run dir go and removes what only a live supervisor needs. */
  release(): void {
    fs.rmSync(join(this.path, "io"), { recursive: true, force: true });
    fs.rmSync(this.#statePath, { force: true });
    // The lock file itself stays: removing it would let two supervisors lock two files of one name.
    if (this.#lockFd !== undefined) fs.closeSync(this.#lockFd);
    this.#lockFd = undefined;
  }

  get #statePath(): string {
    return join(this.path, "state.json");
  }
}
