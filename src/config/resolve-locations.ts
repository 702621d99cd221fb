/** Finds the supervisor that a command is meant for: all that most verbs want of the config file. */

import { dirname, resolve } from "node:path";
import { thisHost } from "./host.ts";
import { contextOf } from "./interpret.ts";
import { findConfig, type LoadOptions, openSource, surroundingsOf } from "./load.ts";
import { defaultRunDir, locationsIn } from "./locations.ts";
import { formatPath, Place, type Segment } from "./place.ts";
import type { Source } from "./source.ts";
import { SUPERVISOR_OPTIONS } from "./table.ts";
import { ConfigError, type ConfigIssue } from "./types.ts";

export interface SupervisorLocation {
  readonly runDir: string;
  readonly controlSocket: string;
  /** Absolute; `null` where there is no config file. */
  readonly configFile: string | null;
}

/**
 * Takes `runDir` and `controlSocket` from the config file, and does not mind what else is wrong with it. It does mind when
 * these two cannot be known, rather than talk to the wrong supervisor; `--socket` answers the question without the file.
 *
 * @param file `-c FILE`; without it the one in the current folder, else the default run dir
 * @throws ConfigError
 */
export async function resolveLocations(
  file: string | undefined,
  options: LoadOptions = {},
): Promise<SupervisorLocation> {
  const cwd = options.cwd ?? process.cwd();
  const configFile = file === undefined ? findConfig(cwd) : resolve(cwd, file);
  const socket = options.socket === undefined ? undefined : resolve(cwd, options.socket);
  const host = options.host ?? thisHost;
  if (configFile === undefined) {
    const runDir = defaultRunDir(options.processEnv ?? process.env, host, cwd);
    return { configFile: null, runDir, controlSocket: socket ?? locationsIn(runDir).controlSocket };
  }
  try {
    const source = await openSource(configFile, host);
    return { configFile, ...readLocations(configFile, source, options) };
  } catch (error) {
    if (socket === undefined || !(error instanceof ConfigError)) throw error;
    return { configFile, runDir: dirname(socket), controlSocket: socket };
  }
}

function readLocations(
  configFile: string,
  source: Source,
  options: LoadOptions,
): Omit<SupervisorLocation, "configFile"> {
  const value = source.value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const nothing = { path: "", line: null, column: null, message: "must be an object" };
    throw new ConfigError(configFile, source.issues.length > 0 ? source.issues : [nothing]);
  }
  const surroundings = surroundingsOf(configFile, dirname(configFile), options);
  const issues: ConfigIssue[] = [];
  const report = (segments: readonly Segment[], message: string, of: "key" | "value") => {
    const spot = source.locate(segments, of) ?? { line: null, column: null };
    issues.push({ path: formatPath(segments), ...spot, message });
  };
  const read = (key: "runDir" | "controlSocket") => {
    const given = (value as Record<string, unknown>)[key];
    if (given === undefined && source.broken && source.mentions(key)) {
      throw new ConfigError(configFile, source.issues);
    }
    if (given === undefined) return undefined;
    return SUPERVISOR_OPTIONS[key].kind.read(given, new Place(report, [key]), contextOf(surroundings));
  };
  const controlSocket = surroundings.controlSocket ?? read("controlSocket");
  const runDir = read("runDir") ?? defaultRunDir(surroundings.variables, surroundings.host, surroundings.cwd);
  if (issues.length > 0) throw new ConfigError(configFile, issues);
  return { runDir, controlSocket: controlSocket ?? locationsIn(runDir).controlSocket };
}
