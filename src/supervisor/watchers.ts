/** The watchers of all pools that have a `watch` key: they come, change and go with the pools. */

import type { JournalEntry } from "../core/events.ts";
import type { Pool } from "./pool.ts";
import type { Reloader } from "./reload.ts";
import type { Supervisor } from "./supervisor.ts";
import { Watcher } from "./watcher.ts";

/** After these a pool may be there or not, and be configured otherwise. */
const FOLLOWED: ReadonlySet<JournalEntry["type"]> = new Set([
  "pool-started",
  "reload-started",
  "reload-finished",
  "pool-stopped",
  "supervisor-stopping",
]);

interface Running {
  readonly watcher: Watcher;
  /** What it was made for. */
  readonly key: string;
}

export class Watchers {
  readonly #supervisor: Supervisor;
  readonly #reloader: Reloader;
  readonly #running = new Map<string, Running>();
  readonly #unfollow: () => void;

  constructor(supervisor: Supervisor, reloader: Reloader) {
    this.#supervisor = supervisor;
    this.#reloader = reloader;
    this.#unfollow = supervisor.journal.subscribe(({ type, at }) => {
      if (FOLLOWED.has(type)) supervisor.enqueue(() => this.#follow(at));
    });
  }

  close(): void {
    this.#unfollow();
    for (const { watcher } of this.#running.values()) watcher.close();
    this.#running.clear();
  }

  /** @param since epoch milliseconds, when what there is to follow happened */
  #follow(since: number): void {
    const wanted = new Map(this.#wanted().map((pool) => [pool.name, pool]));
    for (const [name, { watcher, key }] of this.#running) {
      const pool = wanted.get(name);
      if (pool !== undefined && keyOf(pool) === key) continue;
      watcher.close();
      this.#running.delete(name);
    }
    for (const [name, pool] of wanted) {
      if (!this.#running.has(name)) this.#start(pool, since);
    }
  }

  #wanted(): Pool[] {
    if (this.#supervisor.stopping) return [];
    return [...this.#supervisor.pools.values()].filter(
      (pool) => pool.version.spec.watch !== null && !pool.stopping,
    );
  }

  #start(pool: Pool, since: number): void {
    const supervisor = this.#supervisor;
    const { name } = pool;
    const { watch: spec } = pool.version.spec;
    const watcher: Watcher = new Watcher({
      pool: pool.version.spec,
      spec: spec!,
      own: ownFiles(supervisor),
      configFile: supervisor.config.configFile,
      clock: supervisor.clock,
      reload: (begin) =>
        this.#reloader.follow(name, () => {
          if (pool.stopping) watcher.close();
          return begin();
        }),
      reopen: () => this.#reopen(),
      warn: (text) => supervisor.emit({ type: "warning", pool: name, text }),
    });
    this.#running.set(name, { watcher, key: keyOf(pool) });
    watcher.open(since);
  }

  /** First all are closed: of a folder that one of them still watched, the others would be given the same old watch. */
  #reopen(): void {
    const since = this.#supervisor.clock.now();
    for (const { watcher } of this.#running.values()) watcher.suspend();
    for (const { watcher } of this.#running.values()) watcher.open(since);
  }
}

function keyOf({ version: { spec } }: Pool): string {
  return JSON.stringify([spec.watch, spec.cwd]);
}

/** They change with every reload, and must not bring about the next. */
function ownFiles({ config }: Supervisor): string[] {
  const { runDir, controlSocket, pidFile, log } = config;
  return [runDir, controlSocket, pidFile, ...(log.file === null ? [] : [log.file])];
}
