/** Finds, reads and checks the config file. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { type Host, thisHost } from "./host.ts";
import { interpret, type Surroundings } from "./interpret.ts";
import { parseJson } from "./json-source.ts";
import { importConfig } from "./module-source.ts";
import type { Source } from "./source.ts";
import { ConfigError, type EffectiveConfig } from "./types.ts";

/** The names that are looked for, the first one that exists counts. */
export const CONFIG_NAMES = [
  "ecosystem.json",
  "ecosystem.config.js",
  "ecosystem.config.mjs",
  "ecosystem.config.cjs",
  "ecosystem.config.ts",
] as const;

export interface LoadOptions {
  /** `--env NAME`: lays each pool's `env_<NAME>` over its `env`. */
  readonly envName?: string | undefined;
  /** `--socket PATH`: the control socket, whatever the file says. */
  readonly socket?: string | undefined;
  /** What `${VAR}` and the default run dir look at. @default process.env */
  readonly processEnv?: NodeJS.ProcessEnv | undefined;
  /** Where relative arguments start. @default process.cwd() */
  readonly cwd?: string | undefined;
  /** @default the machine we run on */
  readonly host?: Host | undefined;
}

/** @returns the absolute path of the config file in a folder; undefined where there is none */
export function findConfig(cwd: string): string | undefined {
  return CONFIG_NAMES.map((name) => resolve(cwd, name)).find((file) => existsSync(file));
}

/**
 * Reads a config file anew each time, so that a reload sees what it says now.
 *
 * @param file `.json`, `.jsonc`, or a module: `.js`, `.mjs`, `.cjs`, `.ts`
 * @throws ConfigError with every error at once; nothing else
 */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<EffectiveConfig> {
  const path = resolve(options.cwd ?? process.cwd(), file);
  const source = await openSource(path, options.host ?? thisHost);
  // Of a file that is not even JSON, what is missing says nothing.
  if (source.broken) throw new ConfigError(path, source.issues);
  return interpret(source, path, surroundingsOf(path, dirname(path), options));
}

/** @throws ConfigError when there is nothing to read */
export async function openSource(file: string, host: Host): Promise<Source> {
  const suffix = extname(file);
  if (suffix === ".json" || suffix === ".jsonc") return parseJson(readText(file));
  if (/^\.[mc]?[jt]s$/.test(suffix)) {
    requireFile(file);
    return importConfig(file, host);
  }
  throw unreadable(
    file,
    'this is no kind of configuration that gwpm reads; name it "….json", .js, .mjs, .cjs or .ts',
  );
}

export function surroundingsOf(name: string, folder: string, options: LoadOptions): Surroundings {
  const cwd = options.cwd ?? process.cwd();
  return {
    file: name,
    folder,
    cwd,
    variables: options.processEnv ?? process.env,
    expands: true,
    environmentName: options.envName,
    controlSocket: options.socket === undefined ? undefined : resolve(cwd, options.socket),
    host: options.host ?? thisHost,
  };
}

function readText(file: string): string {
  requireFile(file);
  try {
    return readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw unreadable(file, `cannot be read: ${(error as Error).message}`);
  }
}

function requireFile(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) throw unreadable(file, "there is no such file");
  if (!stats.isFile())
    throw unreadable(file, `this is not a file; name the one in it, such as ${join(file, CONFIG_NAMES[0])}`);
}

function unreadable(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ path: "", line: null, column: null, message }]);
}
