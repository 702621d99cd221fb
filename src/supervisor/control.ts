/** The supervisor as the control API sees it. */

import type { LogLine, ReloadVerdict, StatusDocument, UpgradeVerdict } from "../control/messages.ts";
import { type ControlTarget, OperationError } from "../control/target.ts";
import type { JournalEntry } from "../core/events.ts";
import type { Reloader } from "./reload.ts";
import type { StatusReporter } from "./status.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Upgrader } from "./upgrade.ts";

const OPERATOR = "the operator";

export class SupervisorControl implements ControlTarget {
  readonly #supervisor: Supervisor;
  readonly #reloader: Reloader;
  readonly #upgrader: Upgrader;
  readonly #reporter: StatusReporter;

  constructor(supervisor: Supervisor, reloader: Reloader, upgrader: Upgrader, reporter: StatusReporter) {
    this.#supervisor = supervisor;
    this.#reloader = reloader;
    this.#upgrader = upgrader;
    this.#reporter = reporter;
  }

  async status(): Promise<StatusDocument> {
    const status = await this.#reporter.document();
    const upgrade = this.#upgrader.progress;
    return upgrade === null ? status : { ...status, supervisor: { ...status.supervisor, upgrade } };
  }

  health(name?: string): string | undefined {
    if (this.#supervisor.stopping) return "the supervisor is stopping";
    const pools = name === undefined ? [...this.#supervisor.pools.values()] : [this.#supervisor.pool(name)];
    for (const pool of pools) {
      if (pool.drained) return `pool "${pool.name}" is drained`;
      const serving = [...pool.crew.workers].some((worker) => worker.state.kind === "ready");
      if (!serving) return pool.crew.lastFailure?.reason ?? `pool "${pool.name}" has no worker that is ready`;
    }
    return undefined;
  }

  events(query: { since?: number; last?: number; follow?: (entry: JournalEntry) => void }): {
    past: readonly JournalEntry[];
    unfollow: () => void;
  } {
    const { journal } = this.#supervisor;
    const { since = 0, last = Number.POSITIVE_INFINITY, follow } = query;
    const past = last === 0 ? [] : journal.since(since).slice(-last);
    return { past, unfollow: follow === undefined ? () => {} : journal.subscribe(follow) };
  }

  logs(query: { pools?: readonly string[]; last?: number; follow?: (line: LogLine) => void }): {
    past: readonly LogLine[];
    unfollow: () => void;
  } {
    const { lines } = this.#supervisor;
    for (const name of query.pools ?? []) this.#supervisor.pool(name);
    const past = lines.last(query.last ?? Number.POSITIVE_INFINITY, query.pools);
    return {
      past,
      unfollow: query.follow === undefined ? () => {} : lines.follow(query.follow, query.pools),
    };
  }

  reload(options: {
    pools?: readonly string[];
    changed?: boolean;
    accepted?: () => void;
  }): Promise<ReloadVerdict> {
    return this.#reloader.reload(OPERATOR, options.pools, options.changed, options.accepted);
  }

  restart(options: { pools?: readonly string[] }): Promise<ReloadVerdict> {
    return this.#reloader.restart(OPERATOR, options.pools);
  }

  scale(name: string, workers: number | string): Promise<{ from: number; to: number }> {
    return this.#supervisor.run(() => this.#supervisor.pool(name).scale(workers, OPERATOR)).catch(badRequest);
  }

  async recycle(
    name: string,
    slot?: number,
  ): Promise<{ recycled: readonly { slot: number; pid: number }[] }> {
    return { recycled: await this.#supervisor.run(() => this.#supervisor.pool(name).recycle(slot)) };
  }

  /** The HTTP listener first, so that what it has accepted is still answered. */
  async drain(name: string): Promise<void> {
    const { pools } = this.#supervisor;
    const pool = this.#supervisor.pool(name);
    const http = pools.get(`${name}/http`);
    if (http !== undefined) await this.#supervisor.run(() => http.drain(OPERATOR));
    await this.#supervisor.run(() => pool.drain(OPERATOR));
  }

  resume(name: string): Promise<void> {
    return this.#reloader.resume(this.#supervisor.pool(name));
  }

  async rollback(name: string): Promise<ReloadVerdict> {
    return this.#reloader.rollback(this.#supervisor.pool(name), OPERATOR);
  }

  upgrade(program: { node?: string; main?: string }): Promise<UpgradeVerdict> {
    return this.#upgrader.upgrade(OPERATOR, program);
  }

  async stop(options: { fast: boolean }): Promise<void> {
    await this.#supervisor.stop(OPERATOR, options.fast);
    await this.#upgrader.settled();
  }
}

function badRequest(error: unknown): never {
  if (!(error instanceof RangeError)) throw error;
  throw new OperationError("GWPM_BAD_REQUEST", error.message, { status: 400, exitCode: 2, cause: error });
}
