/** Paths with globs in them, split where the glob begins, and written back. */

import { resolve } from "node:path";

/** A file or a folder with all that is in it; with a glob, the files below the folder that it matches. */
export interface PathPattern {
  /** Absolute. */
  readonly base: string;
  /** Relative to `base`; `null` where there is none. */
  readonly glob: string | null;
}

/** What makes a part of a path a glob. A backslash before it takes it literally. */
const MAGIC = /[*?[\]{}()|!]/;
const ESCAPED = /\\(.)/g;

/** `src/*.js` in `/srv/app` → `/srv/app/src` and `*.js`. */
export function splitGlob(pattern: string, folder: string): PathPattern {
  const parts = pattern.replace(/(?<=.)\/+$/, "").split("/");
  const first = parts.findIndex((part) => MAGIC.test(part.replaceAll(ESCAPED, "")));
  const literal = first === -1 ? parts : parts.slice(0, first);
  const path = literal.join("/").replaceAll(ESCAPED, "$1");
  const base = resolve(folder, path === "" && pattern.startsWith("/") ? "/" : path);
  return { base, glob: first === -1 ? null : parts.slice(first).join("/") };
}

/** The inverse of {@link splitGlob}. */
export function joinGlob({ base, glob }: PathPattern): string {
  const literal = base.replaceAll(/[*?[\]{}()|!\\]/g, "\\$&");
  if (glob === null) return literal;
  return literal === "/" ? `/${glob}` : `${literal}/${glob}`;
}
