/** The kind of `watch`: off, `true`, globs, or an object that says more. */

import { splitGlob } from "./glob.ts";
import { type Context, type Kind, requireText, scalar } from "./kind.ts";
import { OFF } from "./kinds.ts";
import { objectSchema } from "./object-schema.ts";
import { Place } from "./place.ts";
import { type Draft, readOptions } from "./read.ts";
import type { WATCH_OPTIONS } from "./table.ts";
import type { WatchIgnore, WatchPath } from "./types.ts";
import { show } from "./units.ts";

export type WatchDraft = Draft<typeof WATCH_OPTIONS>;

/** @returns `null` where it is off */
export function watchOn(options: typeof WATCH_OPTIONS): Kind<WatchDraft | null> {
  return {
    label: "`true`, list of globs, or object",
    schema: {
      anyOf: [onOrOff.schema, { enum: OFF }, options.paths.kind.schema, objectSchema(options)],
    },
    read(value, place, context) {
      if (OFF.includes(value) || (Array.isArray(value) && value.length === 0)) return null;
      if (Array.isArray(value)) {
        const paths = options.paths.kind.read(value, place, context);
        return paths === undefined ? undefined : { ...defaults(options, context), paths };
      }
      if (typeof value === "object") return readOptions(options, value, place, context);
      const on = onOrOff.read(value, place, context);
      return on === true ? defaults(options, context) : on === false ? null : undefined;
    },
  };
}

const onOrOff: Kind<boolean> = scalar({
  label: "`true` or `false`",
  schema: { type: "boolean" },
  parse(value) {
    if (typeof value === "boolean") return value;
    throw new RangeError(`must be true, false, a list of globs or an object, not ${show(value)}`);
  },
  fromText: (text) => (text === "true" ? true : text === "false" ? false : text),
});

function defaults(options: typeof WATCH_OPTIONS, context: Context): WatchDraft {
  return readOptions(options, {}, new Place(() => {}), context);
}

/** A file, a folder or a glob; a relative one starts at the config file's folder. */
export function watchPath(): Kind<WatchPath> {
  return scalar({
    label: "path or glob",
    schema: { type: "string", minLength: 1, pattern: "^[^!]" },
    parse: (value, { folder }) => splitGlob(requirePattern(value), folder),
  });
}

/** As in a .gitignore: without a slash it is a name, at any depth. */
export function watchIgnore(): Kind<WatchIgnore> {
  return scalar<WatchIgnore>({
    label: "path or glob",
    schema: { type: "string", minLength: 1, pattern: "^[^!]" },
    parse(value, { folder }) {
      const pattern = requirePattern(value);
      const name = pattern.replace(/\/+$/, "");
      return name === "" || name.includes("/") ? splitGlob(pattern, folder) : { base: null, glob: name };
    },
  });
}

function requirePattern(value: unknown): string {
  const pattern = requireText(value);
  if (pattern === "") throw new RangeError("is an empty path");
  if (pattern.startsWith("!")) {
    throw new RangeError(`${show(pattern)} begins with "!"; write what is not to be watched under "ignore"`);
  }
  return pattern;
}
