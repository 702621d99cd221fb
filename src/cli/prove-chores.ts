/** What `gwpm prove` does to a pool while the load runs: reloads it, and kills its workers, on a schedule. */

import { existsSync, readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { type ControlClient, ControlError } from "../control/client.ts";
import type { ProcessStatus, ReloadVerdict, StatusDocument } from "../control/messages.ts";
import { humanDuration } from "../core/format.ts";
import type { Ledger } from "../core/ledger.ts";
import { CliError } from "./failure.ts";
import { aborted, pause } from "./pause.ts";
import type { ProvePlan } from "./prove-flags.ts";

/** SPEC §3. */
const EXIT_NOT_PERMITTED = 4;
/** How often a killed process is looked at, and for how long. */
const LOOK_EVERY_MS = 2;
const GONE_WITHIN_MS = 5_000;
/** Further ones are only counted. */
const MOST_PROBLEMS = 5;

export interface ChoreOptions {
  readonly client: ControlClient;
  readonly pool: string;
  readonly ledger: Ledger;
  /** Of the pool when the run begins. */
  readonly generation: number;
  /** No further chores. */
  readonly over: AbortSignal;
  /** Do not wait for the one under way either. */
  readonly leave: AbortSignal;
}

export interface ChoreReport {
  readonly reloads: {
    readonly ok: number;
    readonly rolledBack: number;
    readonly failed: number;
    readonly slowestMs: number | null;
  };
  readonly kills: number;
  /** What went wrong, in sentences. */
  readonly problems: readonly string[];
  /** Problems that were no roll-back: a chore that could not be done. */
  readonly failed: number;
}

export class Chores {
  readonly #options: ChoreOptions;
  readonly #problems: string[] = [];
  readonly #reloads = { ok: 0, rolledBack: 0, failed: 0, slowestMs: null as number | null };
  #generation: number;
  #reloading = false;
  #killing: number | null = null;
  #kills = 0;
  #failed = 0;

  constructor(options: ChoreOptions) {
    this.#options = options;
    this.#generation = options.generation;
  }

  /** `reloading (generation 5)`, for the progress line; empty when nothing is being done. */
  get doing(): string {
    const doing = [
      ...(this.#reloading ? [`reloading (generation ${this.#generation + 1})`] : []),
      ...(this.#killing === null ? [] : [`killing ${this.#killing}`]),
    ];
    return doing.join(", ");
  }

  report(): ChoreReport {
    return {
      reloads: { ...this.#reloads },
      kills: this.#kills,
      problems: [...this.#problems],
      failed: this.#failed,
    };
  }

  /**
   * Resolves when the time is up and what was under way then has come to its end.
   *
   * @throws CliError when the workers are not ours to kill
   */
  async run({ reloadEveryMs, killEveryMs }: Pick<ProvePlan, "reloadEveryMs" | "killEveryMs">): Promise<void> {
    const { over } = this.#options;
    await Promise.all([
      aborted(over),
      ...(reloadEveryMs === null ? [] : [every(reloadEveryMs, over, () => this.#reload())]),
      ...(killEveryMs === null ? [] : [every(killEveryMs, over, () => this.#kill())]),
    ]);
  }

  async #reload(): Promise<void> {
    const { client, pool, leave } = this.#options;
    const startedAt = performance.now();
    this.#reloading = true;
    try {
      const verdict = client.longJson<ReloadVerdict>("POST", "/v1/reload", { pools: [pool] });
      const answer = await Promise.race([verdict, aborted(leave)]);
      if (answer === undefined) return;
      const tookMs = performance.now() - startedAt;
      this.#reloads.slowestMs = Math.max(this.#reloads.slowestMs ?? 0, tookMs);
      this.#enter(answer.pools.find(({ name }) => name === pool));
    } catch (error) {
      this.#reloads.failed += 1;
      this.#fail(error);
    } finally {
      this.#reloading = false;
    }
  }

  #enter(verdict: ReloadVerdict["pools"][number] | undefined): void {
    if (verdict?.result === "ok") {
      this.#reloads.ok += 1;
      this.#generation = verdict.generation;
      return;
    }
    const why = verdict?.reason ? `: ${verdict.reason}` : "";
    if (verdict?.result === "rolled-back") {
      this.#reloads.rolledBack += 1;
      this.#tell(`a reload was rolled back${why}`);
      return;
    }
    this.#reloads.failed += 1;
    this.#failed += 1;
    this.#tell(`a reload ended with the pool ${verdict?.result ?? "left out"}${why}`);
  }

  async #kill(): Promise<void> {
    const { client, pool, ledger } = this.#options;
    try {
      const status = await client.json<StatusDocument>("GET", "/v1/status");
      const victim = pickVictim(status, pool);
      // All are starting, or this one has just gone: the next time.
      if (victim === null || !isChild(victim, status.supervisor.pid)) return;
      this.#killing = victim;
      const ends = ledger.killBegins(performance.now());
      try {
        if (!sendKill(victim)) return;
        this.#kills += 1;
        await this.#gone(victim);
      } finally {
        ends(performance.now());
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#killing = null;
    }
  }

  /** The supervisor reaps it at once; that is when its connections have been closed. */
  async #gone(pid: number): Promise<void> {
    const { leave } = this.#options;
    const deadline = performance.now() + GONE_WITHIN_MS;
    while (isThere(pid) && !leave.aborted) {
      if (performance.now() > deadline) {
        throw new CliError(
          `worker ${pid} is still there ${humanDuration(GONE_WITHIN_MS)} after it was killed`,
        );
      }
      await pause(LOOK_EVERY_MS, leave);
    }
    // Its kept connections have ended, but we may not have read that yet, and may have sent requests on them meanwhile.
    for (let turn = 0; turn < 2; turn++) await setImmediate();
  }

  #fail(error: unknown): void {
    // The supervisor's answer concerns this one chore; everything else is a reason to end the run.
    if (!(error instanceof ControlError)) throw error;
    this.#failed += 1;
    this.#tell(error.message);
  }

  #tell(problem: string): void {
    if (this.#problems.length < MOST_PROBLEMS) this.#problems.push(problem);
  }
}

/** Acts once in every `ms`, the first time after `ms`; what takes longer than that delays the next and is not made up for. */
async function every(ms: number, over: AbortSignal, act: () => Promise<void>): Promise<void> {
  let due = performance.now() + ms;
  for (;;) {
    await pause(due - performance.now(), over);
    if (over.aborted) return;
    await act();
    due = Math.max(due + ms, performance.now());
  }
}

/** One of the pool's ready workers, by lot. */
function pickVictim({ pools }: StatusDocument, name: string): number | null {
  const processes = pools.find((pool) => pool.name === name)?.processes ?? [];
  const ready = processes.filter(isReady).map(({ pid }) => pid!);
  return ready[Math.floor(Math.random() * ready.length)] ?? null;
}

function isReady({ pid, state }: ProcessStatus): boolean {
  return pid !== null && (state === "ready" || state === "busy");
}

/**
 * Pids are names that are given away again, and other ones in another container: nothing is killed that is not the supervisor's child.
 *
 * @returns false when the process has gone
 * @throws CliError
 */
function isChild(pid: number, supervisor: number): boolean {
  if (!existsSync("/proc/self/stat")) return true; // Not Linux: the status document has to do.
  const parent = parentOf(pid);
  if (parent === null || parent === supervisor) return parent !== null;
  throw new CliError(
    `process ${pid} is not a child of the supervisor (pid ${supervisor}) as seen from here; it was not killed`,
    { hint: "Run prove in the supervisor's own container or PID namespace." },
  );
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // proc_pid_stat(5): pid (name) state ppid; the name may hold anything, parentheses too.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return null;
  }
}

/** @returns false when it had gone by itself */
function sendKill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH") return false;
    throw new CliError(`you may not kill worker ${pid}; it takes its user, or root`, {
      exitCode: EXIT_NOT_PERMITTED,
      cause: error,
    });
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
