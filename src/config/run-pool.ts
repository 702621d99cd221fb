/** The configuration behind `gwpm run FILE`: one pool from one file, by flags instead of a config file. */

import { basename, extname, join } from "node:path";
import { interpret } from "./interpret.ts";
import { type LoadOptions, surroundingsOf } from "./load.ts";
import { defaultRunDir } from "./locations.ts";
import { ConfigError, type EffectiveConfig } from "./types.ts";

/** The flags of `gwpm run`, as they were written. */
export interface RunFlags {
  /** The script. */
  readonly file: string;
  /** `--http ADDR` @default 127.0.0.1:8080 */
  readonly http?: string | undefined;
  /** `--listen ADDR` @default a Unix socket in the run dir */
  readonly listen?: string | undefined;
  /** `--protocol P` @default fastcgi */
  readonly protocol?: string | undefined;
  /** `-n N` @default the number of CPUs that the cgroup allows */
  readonly workers?: string | number | undefined;
  /** `--watch`: reload when files in the current folder, or the script's, change. */
  readonly watch?: boolean | undefined;
  /** Arguments for the script. */
  readonly args?: readonly string[] | undefined;
  /** @default a folder of this process's own in the default run dir: it disturbs no supervisor, and none disturbs it */
  readonly runDir?: string | undefined;
}

/** Which flag a path in the configuration stands for. */
const FLAG_OF = new Map([
  ["pools[0].script", "FILE"],
  ["pools[0].http", "--http"],
  ["pools[0].listen", "--listen"],
  ["pools[0].protocol", "--protocol"],
  ["pools[0].workers", "-n"],
  ["controlSocket", "--socket"],
]);

/**
 * @throws ConfigError whose issues name flags instead of paths
 */
export function loadRunPool(flags: RunFlags, options: LoadOptions = {}): EffectiveConfig {
  const surroundings = surroundingsOf("gwpm run", options.cwd ?? process.cwd(), options);
  const runDir =
    flags.runDir ??
    join(defaultRunDir(surroundings.variables, surroundings.host, surroundings.cwd), `run-${process.pid}`);
  const name = poolNameOf(flags.file);
  const pool = {
    name,
    script: flags.file,
    listen: flags.listen ?? `unix:${join(runDir, `${name}.sock`)}`,
    http: flags.http ?? "127.0.0.1:8080",
    protocol: flags.protocol,
    workers: numberOf(flags.workers),
    args: flags.args,
    watch: flags.watch,
  };
  const source = {
    value: { runDir, daemonize: false, pools: [pool] },
    broken: false,
    issues: [],
    mentions: () => false,
    locate: () => null,
  };
  try {
    return interpret(source, null, { ...surroundings, expands: false, environmentName: undefined });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.file,
      error.issues.map((issue) => ({ ...issue, path: FLAG_OF.get(issue.path) ?? issue.path })),
    );
  }
}

/** `My App.server.mjs` → `my-app.server`. */
export function poolNameOf(file: string): string {
  const name = basename(file, extname(file))
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|-+$/g, "");
  return name === "" ? "app" : name;
}

function numberOf(text: string | number | undefined): unknown {
  return typeof text === "string" && /^\d+$/.test(text) ? Number(text) : text;
}
