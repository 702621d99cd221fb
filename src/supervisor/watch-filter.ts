/** Which files a pool's `watch` means. */

import * as fs from "node:fs";
import { dirname, sep } from "node:path";
import picomatch from "picomatch";
import type { WatchIgnore, WatchPath, WatchSpec } from "../config/types.ts";

/** Names that are ignored at any depth below what is watched: other people's code, version control, editors' swap files. */
const IGNORED_NAMES = [
  ...["node_modules", ".git", ".hg", ".svn", ".jj", ".DS_Store"],
  ...["*~", ".*.sw?", "4913", ".#*", "#*#", "*.kate-swp", "*___jb_tmp___", "*___jb_old___", "*.subl*.tmp"],
];

type Match = (text: string) => boolean;

/** One of the watched paths as it is on the disk now. */
interface Root {
  readonly path: WatchPath;
  /** What the watcher is given: the folder itself, or the one that a single file lies in, where a rename shows. */
  readonly folder: string;
  /** Changes when the path becomes another place on the disk: a link that now leads elsewhere. */
  readonly identity: string;
  readonly kind: "file" | "folder";
  readonly matches: Match;
}

/** A picture of the disk as it was when this was made; {@link WatchFilter.outdated} tells when another is needed. */
export class WatchFilter {
  readonly #roots: readonly Root[];
  readonly #ignoredNames: Match;
  readonly #ignoredPaths: readonly Match[];
  /** Paths that are not there yet. */
  readonly missing: readonly WatchPath[];

  /** @param own files and folders of gwpm itself, absolute: they and what is named after them (`gwpm.log.1`) are ignored */
  constructor(spec: WatchSpec, own: readonly string[]) {
    const roots = spec.paths.map(look);
    this.#roots = roots.filter((root) => root !== undefined);
    this.missing = spec.paths.filter((_, index) => roots[index] === undefined);
    const names = spec.ignore.flatMap(({ base, glob }) => (base === null ? [glob] : []));
    this.#ignoredNames = picomatch([...IGNORED_NAMES, ...names], { dot: true });
    this.#ignoredPaths = [...spec.ignore.flatMap(ignoredPath), ...own.map(ownPath)];
  }

  /** The folders to watch. */
  get folders(): string[] {
    return [...new Set(this.#roots.map(({ folder }) => folder))];
  }

  /** The first watched path that has come, gone, or become another. */
  outdated(): string | undefined {
    const changed = this.#roots.find(({ folder, identity }) => identityOf(folder) !== identity);
    return changed?.path.base ?? this.missing.find((path) => statOf(path.base) !== undefined)?.base;
  }

  /** Whether a change of this file counts. */
  counts(file: string): boolean {
    return this.#roots.some((root) => root.matches(file) && !this.#ignores(file, root));
  }

  /**
   * Whether the watcher need not look at something. What is neither file nor folder, such as our own sockets, never counts; a
   * linked folder is not followed, because it may lead back to where it lies.
   *
   * @param stats undefined where the watcher does not know yet what it is
   */
  skips(path: string, stats?: fs.Stats): boolean {
    if (stats === undefined) return !this.counts(path) && !this.#leadsOn(path);
    if (stats.isDirectory()) return !this.#leadsOn(path);
    if (!stats.isFile() && !(stats.isSymbolicLink() && statOf(path)?.isFile() === true)) return true;
    return !this.counts(path);
  }

  #leadsOn(folder: string): boolean {
    return this.#roots.some(
      (root) =>
        folder === root.folder ||
        (root.kind === "folder" && isBelow(folder, root.path.base) && !this.#ignores(folder, root)),
    );
  }

  #ignores(path: string, root: Root): boolean {
    const names = root.kind === "folder" ? relativeTo(root.path.base, path).split(sep) : [];
    return names.some(this.#ignoredNames) || this.#ignoredPaths.some((matches) => matches(path));
  }
}

/** @returns undefined where there is nothing yet */
function look(path: WatchPath): Root | undefined {
  const stats = statOf(path.base);
  if (stats === undefined) return undefined;
  const kind = stats.isDirectory() ? "folder" : "file";
  const folder = kind === "folder" ? path.base : dirname(path.base);
  return { path, kind, folder, identity: identityOf(folder), matches: matcherOf(path) };
}

function matcherOf({ base, glob }: WatchPath): Match {
  if (glob === null) return (path) => path === base || isBelow(path, base);
  const matches = picomatch(glob, { dot: true });
  return (path) => isBelow(path, base) && matches(relativeTo(base, path));
}

/** What matches, and all that is in it. */
function ignoredPath(pattern: WatchIgnore): Match[] {
  if (pattern.base === null) return [];
  const matches = matcherOf(pattern);
  const { base } = pattern;
  return [
    (path) => {
      for (let at = path; at === base || isBelow(at, base); at = dirname(at)) {
        if (matches(at)) return true;
        if (at === base) break;
      }
      return false;
    },
  ];
}

function ownPath(own: string): Match {
  const rotated = /^\.\d/;
  return (path) =>
    path === own || isBelow(path, own) || (path.startsWith(own) && rotated.test(path.slice(own.length)));
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder === sep ? sep : folder + sep) && path !== folder;
}

function relativeTo(folder: string, path: string): string {
  return path.slice(folder === sep ? 1 : folder.length + 1);
}

function statOf(path: string): fs.Stats | undefined {
  try {
    return fs.statSync(path);
  } catch {
    return undefined;
  }
}

function identityOf(folder: string): string {
  try {
    return fs.realpathSync(folder);
  } catch {
    return "";
  }
}
