/** One pool's hot reload: what has changed, when it has been quiet for long enough, and what the reload is to be. */

import { isAbsolute, relative } from "node:path";
import type { EffectivePool, WatchSpec } from "../config/types.ts";
import { OperationError } from "../control/target.ts";
import type { Clock } from "../core/clock.ts";
import { Debounce, describeChanges, type Happening } from "../core/debounce.ts";
import { FileWatch } from "./file-watch.ts";
import type { ReloadOrder } from "./reload.ts";

/** chokidar reports a file that is written again and again only so often; a shorter quiet would miss the last write. */
const LEAST_QUIET_MS = 60;

export interface WatcherOptions {
  readonly pool: Pick<EffectivePool, "name" | "cwd">;
  readonly spec: WatchSpec;
  /** What gwpm itself writes, absolute. */
  readonly own: readonly string[];
  /** Absolute; a change of it has the configuration read again. */
  readonly configFile: string | null;
  readonly clock: Clock;
  /** Reloads the pool once its turn has come: `begin` is called then, and `null` calls it off. */
  reload(begin: () => ReloadOrder | null): Promise<void>;
  /** A folder was replaced: every watcher must be opened anew, for chokidar shares what it watches among them. */
  reopen(): void;
  warn(text: string): void;
}

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #files: FileWatch;
  readonly #debounce: Debounce;
  #configChanged = false;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(options: WatcherOptions) {
    const { spec, own, clock, warn } = options;
    this.#options = options;
    this.#debounce = new Debounce(Math.max(spec.debounceMs, LEAST_QUIET_MS));
    this.#files = new FileWatch(
      { spec, own, clock },
      {
        happened: (path, what) => this.#note(path, what),
        stirred: () => this.#debounce.stir(clock.monotonic()),
        settled: () => this.#arm(),
        warn,
      },
    );
  }

  /** @param since epoch milliseconds; what has changed from then on counts */
  open(since: number): void {
    this.#files.open(since);
  }

  /** Lets go of what is watched, for {@link open} to begin anew. */
  suspend(): void {
    this.#files.close();
    this.#disarm();
  }

  /** Ends it; a reload that it has asked for and that has not begun is called off. */
  close(): void {
    this.#closed = true;
    this.suspend();
  }

  #note(path: string, what: Happening): void {
    if (path === this.#options.configFile) this.#configChanged = true;
    this.#debounce.note(this.#nameOf(path), this.#options.clock.monotonic(), what);
    this.#arm();
  }

  /** As its users know it: from the pool's working directory, where it lies in there. */
  #nameOf(path: string): string {
    const name = relative(this.#options.pool.cwd, path);
    return name === "" || name.startsWith("..") || isAbsolute(name) ? path : name;
  }

  /** What is due only ever gets later: the timer that runs is left alone, and looks again. */
  #arm(): void {
    const { dueAt } = this.#debounce;
    if (this.#timer !== undefined || this.#closed || !this.#files.settled) return;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(0, Math.ceil(dueAt - this.#options.clock.monotonic()));
    // What the kernel has told meanwhile is heard first: a timer that is late comes before it in the event loop.
    this.#timer = setTimeout(() => {
      this.#immediate = setImmediate(() => this.#look());
    }, wait);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
  }

  #look(): void {
    this.#disarm();
    if (this.#debounce.dueAt > this.#options.clock.monotonic()) this.#arm();
    // What changes while all is looked through anew still belongs to this reload, which follows when that is done.
    else if (this.#files.stale) this.#options.reopen();
    else void this.#reload();
  }

  async #reload(): Promise<void> {
    this.#debounce.asked();
    try {
      await this.#options.reload(() => this.#begin());
    } catch (error) {
      this.#onFailure(error as Error);
    }
    this.#debounce.ended();
    this.#arm();
  }

  #onFailure(error: Error): void {
    const code = error instanceof OperationError ? error.code : undefined;
    if (code === "GWPM_STOPPING") this.close();
    // Of a configuration with errors there is an event already.
    else if (code !== "GWPM_BAD_CONFIG") this.#options.warn(`Cannot reload after a change: ${error.message}`);
  }

  #begin(): ReloadOrder | null {
    const changes = this.#closed ? null : this.#debounce.begin();
    if (changes === null) return null;
    const order = { by: describeChanges(changes), readsConfig: this.#configChanged };
    this.#configChanged = false;
    return order;
  }
}
