/**
 * The files of one pool under chokidar's eyes. What chokidar leaves to others is done here: a folder that is replaced or comes
 * back, files that change while it still looks around, and a kernel that has no inotify watches left.
 */

import { readFileSync, type Stats } from "node:fs";
import { basename, join } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { WatchSpec } from "../config/types.ts";
import type { Clock } from "../core/clock.ts";
import type { Happening } from "../core/debounce.ts";
import { WatchFilter } from "./watch-filter.ts";

/** Polling costs a stat(2) for each file, so it is not done more often. */
const POLL_MS = 1_000;

/** How often watched folders are looked for that were not there, or have become others. */
const LOOK_MS = 1_000;

/** File times come from a clock that the kernel advances only so often (CONFIG_HZ=100). */
const FILE_CLOCK_MS = 10;

/** A scan that has not ended by then is waited for no longer; chokidar does not promise that it ends. */
const SCAN_MS = 5_000;

/** inotify(7): no watches, no instances, or no file descriptors are left. */
const EXHAUSTED = new Map([
  ["ENOSPC", "fs.inotify.max_user_watches"],
  ["EMFILE", "fs.inotify.max_user_instances"],
  ["ENFILE", "fs.file-max"],
]);

export interface FileWatchReports {
  /** @param path absolute */
  happened(path: string, what: Happening): void;
  /** Something goes on with a file that counts; what exactly, chokidar has yet to find out. */
  stirred(): void;
  /** It has looked around: whatever changes from now on is reported. */
  settled(): void;
  warn(text: string): void;
}

export interface FileWatchOptions {
  readonly spec: WatchSpec;
  /** What gwpm itself writes, absolute. */
  readonly own: readonly string[];
  readonly clock: Clock;
  /** For tests. @default chokidar's */
  readonly watch?: typeof watch;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #reports: FileWatchReports;
  readonly #warned = new Set<string>();
  readonly #folders = new Set<string>();
  #filter: WatchFilter;
  #watcher: FSWatcher | null = null;
  #timers: NodeJS.Timeout[] = [];
  #polling = false;
  #scanned = false;
  #settled = false;
  #stale = false;

  constructor(options: FileWatchOptions, reports: FileWatchReports) {
    this.#options = options;
    this.#reports = reports;
    this.#filter = new WatchFilter(options.spec, options.own);
  }

  /** Whether a folder was replaced, so that chokidar may be looking at the one that was there before. */
  get stale(): boolean {
    return this.#stale;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** @param since epoch milliseconds; what has changed from then on is reported too */
  open(since: number): void {
    this.#filter = new WatchFilter(this.#options.spec, this.#options.own);
    const filter = this.#filter;
    for (const { base } of filter.missing) {
      this.#warnOnce(base, `Cannot watch ${base}: it is not there; it will be watched once it is`);
    }
    const watcher = (this.#options.watch ?? watch)(filter.folders, {
      ignored: (path, stats) => filter.skips(path, stats),
      // We wait for quiet ourselves, and for longer.
      atomic: false,
      usePolling: this.#polling,
      interval: POLL_MS,
      binaryInterval: POLL_MS,
    });
    this.#watcher = watcher;
    this.#settled = false;
    this.#scanned = false;
    this.#stale = false;
    watcher.on("all", (event, path, stats) => this.#onEvent(event, path, stats, since - FILE_CLOCK_MS));
    watcher.on("raw", (event, name, details) => this.#onRaw(event, name, details));
    watcher.on("error", (error) => this.#onError(error as NodeJS.ErrnoException));
    watcher.once("ready", () => {
      this.#scanned = true;
      this.#settle();
    });
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS).unref(),
      // Where there is nothing to look at, chokidar never says that it has.
      setTimeout(() => this.#settle(), filter.folders.length === 0 ? 0 : SCAN_MS).unref(),
    ];
  }

  /** Takes effect at once: nothing is reported from here on. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#folders.clear();
    // It lets its watches go before it returns.
    void this.#watcher?.close();
    // What it was just about to look at may still fail; without a listener that would end the supervisor.
    this.#watcher?.on("error", () => {});
    this.#watcher = null;
  }

  #onEvent(event: string, path: string, stats: Stats | undefined, since: number): void {
    if (event === "addDir") this.#folders.add(path);
    else if (event === "unlinkDir") this.#folders.delete(path);
    else if (!this.#filter.counts(path)) return;
    else if (event === "change") this.#reports.happened(path, "changed");
    else if (event === "unlink") this.#reports.happened(path, "went");
    else if (this.#scanned) this.#reports.happened(path, "came");
    // Found while looking around for the first time; a rename shows in ctime alone.
    else if (stats !== undefined && stats.ctimeMs >= since) this.#reports.happened(path, "changed");
  }

  /** What the kernel says at once. Of a folder full of new files, chokidar tells only when it has read it. */
  #onRaw(event: string, name: string, details: unknown): void {
    const { watchedPath } = details as { watchedPath?: string };
    if (watchedPath === undefined) return;
    const isFolder = this.#folders.has(watchedPath);
    if (this.#filter.counts(isFolder ? join(watchedPath, name) : watchedPath)) this.#reports.stirred();
    // One that was moved or removed reports itself by its own name (inotify(7), IN_MOVE_SELF and IN_DELETE_SELF).
    if (isFolder && event === "rename" && basename(watchedPath) === name) this.#replaced(watchedPath);
  }

  #look(): void {
    const outdated = this.#filter.outdated();
    if (outdated !== undefined && !this.#stale) this.#replaced(outdated);
  }

  #replaced(folder: string): void {
    this.#stale = true;
    this.#reports.happened(folder, "changed");
  }

  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#reports.settled();
  }

  #onError(error: NodeJS.ErrnoException): void {
    const limit = EXHAUSTED.get(error.code ?? "");
    if (limit === undefined || this.#polling) {
      this.#warnOnce(error.code ?? "", `Cannot watch everything: ${error.message}`);
      return;
    }
    this.#polling = true;
    this.#reports.warn(exhausted(error.code!, limit));
    const since = this.#options.clock.now();
    this.close();
    this.open(since);
  }

  #warnOnce(what: string, text: string): void {
    if (this.#warned.has(what)) return;
    this.#warned.add(what);
    this.#reports.warn(text);
  }
}

function exhausted(code: string, limit: string): string {
  return (
    `Cannot watch every file through inotify (${code}; ${limit} is ${valueOfSysctl(limit)}): they are looked at every ` +
    `${POLL_MS / 1_000} s instead; raise it with "sysctl -w ${limit}=…", or watch less by "watch.paths" and "watch.ignore"`
  );
}

function valueOfSysctl(sysctl: string): string {
  try {
    return readFileSync(`/proc/sys/${sysctl.replaceAll(".", "/")}`, "utf8").trim();
  } catch {
    return "unknown";
  }
}
