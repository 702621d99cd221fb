/** The run dir: who owns it, and what the next supervisor needs to know should this one be killed. */

import * as fs from "node:fs";
import { join } from "node:path";
import { tryLock } from "../system/lock.ts";

const STATE = "state.json";
const CANDIDATE_STATE = "state.next.json";

/** `<runDir>/state.json`: every process and socket that would outlive the supervisor. */
export interface SavedState {
  readonly version: 1;
  readonly supervisor: { readonly pid: number; readonly startTime: number | null };
  readonly pools: readonly SavedPool[];
  /** Workers that are not its own children. Not in states of gwpm 0.1. */
  readonly orphans?: readonly SavedOrphan[];
}

/** A process, named for ever by its pid and start time. */
export interface ProcessId {
  readonly pid: number;
  readonly startTime: number;
}

export interface SavedOrphan {
  readonly pool: string;
  readonly protocol: string;
  readonly worker: SavedWorker;
  /** The supervisor that drains it, having handed over; `null` where nobody but the writer does. */
  readonly keeper: ProcessId | null;
  /** When it will be killed, having been asked to end, in epoch milliseconds; `null` where it has not been asked. */
  readonly killAt: number | null;
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

/**
 * What a supervisor is to the run dir. A `candidate` has yet to take over from the owner, and notes its workers in a file
 * of its own; a `retired` one has handed over, and writes nothing any more.
 */
type Role = "owner" | "candidate" | "retired";

export class RunDir {
  readonly path: string;
  #role: Role;
  #lockFd: number | undefined;

  private constructor(path: string, lockFd: number, role: Role) {
    this.path = path;
    this.#lockFd = lockFd;
    this.#role = role;
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
    return new RunDir(path, lockFd, "owner");
  }

  /** For a supervisor that is to take over from a running one. @param lockFd inherited: the lock is then held by both */
  static inherit(path: string, lockFd: number): RunDir {
    return new RunDir(path, lockFd, "candidate");
  }

  /** For a successor to inherit; undefined once released. */
  get lockFd(): number | undefined {
    return this.#lockFd;
  }

  /** To owner. What a candidate has noted must be written anew before {@link forgetCandidate}. */
  promote(): void {
    this.#role = "owner";
  }

  /** Stops writing: it may be the successor's file from now on. {@link promote} takes that back. */
  leaveState(): void {
    this.#role = "retired";
  }

  /** Leaves for good: a successor owns the folder, and the lock once we let go of it. */
  retire(): void {
    this.leaveState();
    this.#unlock();
  }

  /** A path for a worker's pipe or scoreboard. */
  ioPath(name: string): string {
    return join(this.path, "io", name.replaceAll("/", "+"));
  }

  /** What the last supervisor left behind; `undefined` where it left nothing, or nothing that can be read. */
  readState(): SavedState | undefined {
    return readState(this.#path(STATE));
  }

  /** The same of a supervisor that was to take over and did not live to. */
  readCandidate(): SavedState | undefined {
    return readState(this.#path(CANDIDATE_STATE));
  }

  forgetCandidate(): void {
    fs.rmSync(this.#path(CANDIDATE_STATE), { force: true });
  }

  /** Replaced whole, so that a reader never sees half of it. */
  writeState(state: SavedState): void {
    if (this.#role === "retired") return;
    const path = this.#path(this.#role === "owner" ? STATE : CANDIDATE_STATE);
    fs.writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
    fs.renameSync(`${path}.new`, path);
  }

  /** Removes pipes and scoreboards of workers that are gone. @param keep the paths that are still in use */
  sweep(keep: ReadonlySet<string>): void {
    const folder = join(this.path, "io");
    for (const name of fs.readdirSync(folder)) {
      const path = join(folder, name);
      if (!keep.has(path)) fs.rmSync(path, { force: true, recursive: true });
    }
  }

  /**
   * Lets the run dir go and removes what only a live supervisor needs.
   *
   * @param orphans whether processes live on that the next supervisor must be able to find
   */
  release({ orphans }: { readonly orphans: boolean }): void {
    if (this.#role === "owner" && !orphans) {
      fs.rmSync(join(this.path, "io"), { recursive: true, force: true });
      fs.rmSync(this.#path(STATE), { force: true });
    }
    if (this.#role !== "retired") this.forgetCandidate();
    this.#unlock();
  }

  /** The lock file itself stays: removing it would let two supervisors lock two files of one name. */
  #unlock(): void {
    if (this.#lockFd !== undefined) fs.closeSync(this.#lockFd);
    this.#lockFd = undefined;
  }

  #path(name: string): string {
    return join(this.path, name);
  }
}

function readState(path: string): SavedState | undefined {
  try {
    const state = JSON.parse(fs.readFileSync(path, "utf8")) as SavedState;
    return state.version === 1 && Array.isArray(state.pools) ? state : undefined;
  } catch {
    return undefined;
  }
}
