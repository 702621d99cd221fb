/** The kind of `pools`: reads each pool by its table, and checks what concerns one pool as a whole. */

import { statSync } from "node:fs";
import { extname } from "node:path";
import { type Environment, environment } from "./environment.ts";
import { hasLoader } from "./host.ts";
import type { Context, Kind } from "./kind.ts";
import { OFF } from "./kinds.ts";
import { objectSchema } from "./object-schema.ts";
import type { Place } from "./place.ts";
import { type Draft, readOptions } from "./read.ts";
import type { POOL_OPTIONS } from "./table.ts";
import { show } from "./units.ts";

/** A pool as far as it could be read. */
export interface PoolDraft {
  readonly place: Place;
  readonly values: Draft<typeof POOL_OPTIONS>;
  /** `env` with the chosen `env_<name>` laid over it. */
  readonly env: Environment;
  /** The `<name>`s of all its `env_<name>` blocks. */
  readonly environmentNames: readonly string[];
}

const PROGRAMS = ["script", "command", "cgi", "wsgi", "asgi"] as const;
const BLOCK_PREFIX = "env_";

export function poolList(options: typeof POOL_OPTIONS): Kind<readonly PoolDraft[]> {
  return {
    label: "list of pools",
    schema: { type: "array", items: objectSchema(options), minItems: 1 },
    read(value, place, context) {
      if (!Array.isArray(value)) return place.fail(`must be a list of pools, not ${show(value)}`);
      if (value.length === 0) return place.fail("is an empty list; there is nothing to run");
      return value.map((pool, index) => readPool(options, pool, place.at(index), context));
    },
  };
}

function readPool(options: typeof POOL_OPTIONS, value: unknown, place: Place, context: Context): PoolDraft {
  const blocks = new Map<string, Environment | undefined>();
  const values = readOptions(options, value, place, context, (key, block, at) => {
    const name = key.startsWith(BLOCK_PREFIX) ? key.slice(BLOCK_PREFIX.length) : "";
    if (name === "") return false;
    // Of a block that is not chosen, only the form counts: its variables need not be set on this machine.
    const chosen = name === context.environmentName;
    blocks.set(name, environment.read(block, at, chosen ? context : { ...context, variables: null }));
    return true;
  });
  if (typeof value === "object" && value !== null) checkProgram(value, place);
  checkFiles(values, place, context);
  checkBackoff(values, place);
  return {
    place,
    values,
    env: { ...values.env, ...blocks.get(context.environmentName ?? "") },
    environmentNames: [...blocks.keys()],
  };
}

function checkProgram(pool: object, place: Place): void {
  const given = Object.entries(pool).flatMap(([key, value]) =>
    PROGRAMS.some((program) => program === key) && value !== undefined && !OFF.includes(value) ? [key] : [],
  );
  if (given.length === 0) {
    place.fail('has no program to run; write exactly one of "script", "command", "cgi", "wsgi" and "asgi"');
  } else if (given.length > 1) {
    place.fail(`has ${given.map((key) => `"${key}"`).join(" and ")}; exactly one of them can be run`);
  }
}

function checkFiles(values: PoolDraft["values"], place: Place, context: Context): void {
  const { script, cwd, nodeArgs = [] } = values;
  if (script !== undefined) {
    const wrong = whyNotA("file", script) ?? whyNotRunnable(script, nodeArgs, context);
    if (wrong !== undefined) place.at("script").fail(wrong);
  }
  if (cwd !== undefined) {
    const wrong = whyNotA("folder", cwd);
    if (wrong !== undefined) place.at("cwd").fail(wrong);
  }
}

function whyNotA(what: "file" | "folder", path: string): string | undefined {
  let stats: ReturnType<typeof statSync>;
  try {
    stats = statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT"
      ? `there is no ${what} ${path}`
      : `the ${what} ${path} cannot be reached (${code})`;
  }
  const right = what === "file" ? stats.isFile() : stats.isDirectory();
  return right ? undefined : `${path} is not a ${what}`;
}

function whyNotRunnable(script: string, nodeArgs: readonly string[], { host }: Context): string | undefined {
  const isTypeScript = [".ts", ".mts", ".cts"].includes(extname(script));
  if (!isTypeScript || host.runsTypeScript || host.hasLoader || hasLoader(nodeArgs)) return undefined;
  return (
    `${script} needs Node 22.18 or newer, which runs TypeScript as it is (this is Node ${host.nodeVersion}); ` +
    'here, install tsx and write "nodeArgs": ["--import", "tsx"]'
  );
}

function checkBackoff(values: PoolDraft["values"], place: Place): void {
  const { "restart.backoff.min": min, "restart.backoff.max": max } = values;
  if (min === undefined || max === undefined || min <= max) return;
  place.at("restart", "backoff").fail(`"min" (${min} ms) is longer than "max" (${max} ms)`);
}
