/**
 * Upgrade, the old supervisor's side: starts a supervisor of the installed version, hands the sockets and the office over to
 * it once its pools are ready, and sees the old workers out. Should the new one fail, before or after it was told to take
 * over, nothing has changed.
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { UpgradeVerdict } from "../control/messages.ts";
import { OperationError } from "../control/target.ts";
import { formatAddress } from "../core/address.ts";
import { startTimeOf } from "../system/procfs.ts";
import type { DaemonOrder } from "./daemon.ts";
import type { Office } from "./office.ts";
import type { Pool } from "./pool.ts";
import { standing, whyMustStay } from "./service-manager.ts";
import { FIRST_HANDED_FD, Successor } from "./successor.ts";
import type { Supervisor } from "./supervisor.ts";
import { totalsOf } from "./totals.ts";
import type { Turns } from "./turns.ts";
import { type HandedPool, UPGRADE_VERSION, type UpgradeOrder } from "./upgrade-messages.ts";

const OWN_MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

/** How much later than the new supervisor itself we give it up: it can say what it waited for. */
const EXTRA_MS = 10_000;

/** Taking over is a matter of a few files and a socket. */
const TAKE_TIMEOUT_MS = 20_000;

/** Which program to change to; where it is left out, what stands where our own was started from. */
export interface Program {
  readonly node?: string;
  readonly main?: string;
}

export interface UpgraderOptions {
  readonly supervisor: Supervisor;
  readonly turns: Turns;
  readonly office: Office;
  /** What this supervisor was started with; `null` in the foreground. */
  readonly order: DaemonOrder | null;
  /** Answers on the control socket again, after a successor that was to do so has failed. */
  readonly answerAgain: () => Promise<void>;
}

export class Upgrader {
  readonly #options: UpgraderOptions;
  #successor: Successor | null = null;

  constructor(options: UpgraderOptions) {
    this.#options = options;
    options.supervisor.journal.subscribe((event) => {
      if (event.type === "supervisor-stopping") this.#successor?.tell({ kind: "abandon", fast: event.fast });
    });
  }

  /** What an upgrade under way waits for; `null` where there is none. */
  get progress(): string | null {
    return this.#successor?.progress ?? null;
  }

  /** Resolves when the new supervisor has taken over. @throws OperationError where it has not: everything is then as before */
  upgrade(by: string, program: Program = {}): Promise<UpgradeVerdict> {
    return this.#options.turns.run(() => this.#upgrade(by, program));
  }

  /** Resolves when a successor that is not to take over any more is gone. */
  async settled(): Promise<void> {
    const successor = this.#successor;
    if (successor === null) return;
    const timer = setTimeout(
      () => successor.kill(),
      this.#options.supervisor.config.stopTimeoutMs + EXTRA_MS,
    );
    await successor.exited;
    clearTimeout(timer);
  }

  async #upgrade(by: string, program: Program): Promise<UpgradeVerdict> {
    const { supervisor } = this.#options;
    const order = await this.#requirePossible();
    const startedAt = supervisor.clock.monotonic();
    supervisor.emit({ type: "supervisor-upgrading", pid: process.pid, by });
    try {
      const successor = this.#launch(order, program);
      this.#successor = successor;
      const { version, addresses } = await successor.answer("prepared", order.startTimeoutMs + EXTRA_MS);
      await this.#handOver(successor, new Set(addresses));
      this.#successor = null;
      const from = { pid: process.pid, version: supervisor.version };
      const tookMs = Math.round(supervisor.clock.monotonic() - startedAt);
      return { from, to: { pid: successor.pid, version }, tookMs };
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): OperationError {
    const reason = error instanceof Error ? error.message : String(error);
    const output = error instanceof OperationError ? error.errors : [];
    this.#options.supervisor.emit({ type: "supervisor-upgrade-failed", pid: process.pid, reason, output });
    if (this.#successor !== null) this.#windUp(this.#successor);
    const message = `${reason}; the running supervisor (pid ${process.pid}) goes on`;
    return new OperationError("GWPM_UPGRADE_FAILED", message, { errors: output, cause: error });
  }

  /** @throws OperationError that says why not, and what to do instead */
  async #requirePossible(): Promise<DaemonOrder> {
    const { supervisor, order, office } = this.#options;
    supervisor.assertInCharge();
    if (!office.held)
      throw new OperationError("GWPM_UPGRADING", "this supervisor has not taken over yet itself");
    if (this.#successor !== null) {
      const message = `the new supervisor of the last upgrade (pid ${this.#successor.pid}) failed and still lets its workers finish; try again when it has ended`;
      throw new OperationError("GWPM_UPGRADING", message);
    }
    const drained = [...supervisor.pools.values()].find((pool) => pool.drained && !pool.name.includes("/"));
    if (drained !== undefined) {
      const message = `pool "${drained.name}" is drained, and a new supervisor would start it; resume it first, or stop and start`;
      throw new OperationError("GWPM_DRAINED", message);
    }
    const reason = whyMustStay(await standing(order === null, supervisor.config.pidFile));
    if (reason === null && order !== null) return order;
    throw new OperationError(
      "GWPM_CANNOT_UPGRADE",
      `the supervisor (pid ${process.pid}) cannot hand over to a new process: ${reason}`,
    );
  }

  #launch(order: DaemonOrder, { node = process.execPath, main = OWN_MAIN }: Program): Successor {
    const { supervisor } = this.#options;
    const { runDir, controlSocket, pidFile } = supervisor.config;
    const fds = [supervisor.runDir.lockFd!];
    const inherit = (fd: number): number => FIRST_HANDED_FD + fds.push(fd) - 1;
    const upgrade: UpgradeOrder = {
      version: UPGRADE_VERSION,
      predecessor: { pid: process.pid, startTime: startTimeOf(process.pid) ?? 0 },
      askedAt: supervisor.clock.now(),
      lockFd: FIRST_HANDED_FD,
      place: { runDir, controlSocket, pidFile },
      pools: [...supervisor.pools.values()].map((pool) => handedPool(pool, inherit)),
    };
    const outputFile = join(runDir, "gwpm.log");
    return new Successor({ node, main, order: { ...order, upgrade }, fds, outputFile });
  }

  /** The point of no return is the successor's word that it has taken over. */
  async #handOver(successor: Successor, taken: ReadonlySet<string>): Promise<void> {
    const { supervisor, office } = this.#options;
    supervisor.assertInCharge();
    try {
      await supervisor.offerOffice();
      const pools = [...supervisor.pools.values()].map((pool) => ({
        name: pool.name,
        totals: totalsOf(pool),
      }));
      successor.tell({ kind: "take", pools });
      await successor.answer("taken", TAKE_TIMEOUT_MS);
    } catch (error) {
      successor.kill();
      await successor.exited;
      await this.#goOn();
      throw error;
    }
    await supervisor.run(() => {
      // Whoever asked for a stop in the last moment meant the service.
      if (supervisor.stopping) successor.tell({ kind: "abandon", fast: false });
      supervisor.leaveOffice(successor, taken);
    });
    // The answer to whoever asked goes out first.
    setImmediate(() => setImmediate(() => office.leave()));
  }

  /** Takes the office back from a successor that died while it took over; how far it had come does not matter. */
  async #goOn(): Promise<void> {
    const { supervisor, office, answerAgain } = this.#options;
    office.openJournal();
    await supervisor.run(() => supervisor.resumeOffice());
    office.writePidFile();
    await answerAgain();
  }

  /** What the failed one leaves is seen out: by itself as a rule; what it could not, by us. */
  #windUp(successor: Successor): void {
    const { supervisor } = this.#options;
    const over = successor.exited.then(() =>
      supervisor.run(() => {
        supervisor.orphans.adopt(supervisor.runDir.readCandidate());
        supervisor.runDir.forgetCandidate();
        if (supervisor.stopping) supervisor.orphans.killAll();
        this.#successor = null;
      }),
    );
    over.catch((error: Error) => supervisor.emit({ type: "warning", text: error.message }));
  }
}

function handedPool(pool: Pool, inherit: (fd: number) => number): HandedPool {
  const { spec, listeners } = pool.version;
  return {
    name: pool.name,
    generation: pool.newestGeneration,
    wanted: pool.wanted,
    configured: spec.sizing.count,
    listeners: listeners.map(({ key, address, fd }) => ({
      key,
      address: formatAddress(address),
      fd: inherit(fd),
    })),
  };
}
