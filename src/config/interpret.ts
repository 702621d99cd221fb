/** Gives a configuration its meaning: reads it by the option table, checks it as a whole, and reports every error at once. */

import { requireShortPath } from "./address.ts";
import { reportSharedAddresses, reportSharedNames } from "./conflicts.ts";
import { effectiveConfig } from "./effective.ts";
import type { Host } from "./host.ts";
import type { Context } from "./kind.ts";
import { defaultRunDir, type Locations, locationsIn } from "./locations.ts";
import { groupOf } from "./option.ts";
import { formatPath, Place } from "./place.ts";
import type { PoolDraft } from "./pool.ts";
import { type Draft, readOptions } from "./read.ts";
import type { Source } from "./source.ts";
import { POOL_OPTIONS, SUPERVISOR_OPTIONS } from "./table.ts";
import { ConfigError, type ConfigIssue, type EffectiveConfig } from "./types.ts";
import { show } from "./units.ts";

export interface Surroundings {
  /** What to call the configuration in errors. */
  readonly file: string;
  /** Where relative paths start. */
  readonly folder: string;
  readonly cwd: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Whether `${VAR}` means something: not in arguments, which the shell has expanded. */
  readonly expands: boolean;
  readonly environmentName: string | undefined;
  /** `--socket PATH`, absolute; it counts for more than `controlSocket`. */
  readonly controlSocket: string | undefined;
  readonly host: Host;
}

/**
 * @param configFile what the result says its file is
 * @throws ConfigError with every error of the source and of what it means, in the order of the file
 */
export function interpret(
  source: Source,
  configFile: string | null,
  surroundings: Surroundings,
): EffectiveConfig {
  const issues: ConfigIssue[] = [...source.issues];
  const place = new Place((segments, message, of) => {
    const spot = source.locate(segments, of) ?? { line: null, column: null };
    issues.push({ path: formatPath(segments), ...spot, message });
  });
  const draft = readOptions(SUPERVISOR_OPTIONS, source.value, place, contextOf(surroundings), sendIntoPool);
  const pools = draft.pools ?? [];
  const locations = chooseLocations(draft, place, surroundings);
  reportSharedNames(pools);
  reportSharedAddresses(pools, locations.controlSocket, place.at("controlSocket"));
  checkEnvironmentName(pools, place, surroundings.environmentName);
  if (issues.length > 0) throw new ConfigError(surroundings.file, inOrder(issues));
  return effectiveConfig(draft, locations, { configFile, cpus: () => surroundings.host.cpus() });
}

export function contextOf({ folder, variables, expands, environmentName, host }: Surroundings): Context {
  return { folder, variables: expands ? variables : null, environmentName, host };
}

/** A file for one pool, as other process managers have them, gets a better hint than the nearest key. */
function sendIntoPool(key: string, _value: unknown, place: Place): boolean {
  if (!groupOf(POOL_OPTIONS).children.has(key)) return false;
  place.failKey(`"${key}" is an option of a pool; write it into an item of "pools"`);
  return true;
}

function chooseLocations(
  draft: Draft<typeof SUPERVISOR_OPTIONS>,
  place: Place,
  { variables, host, cwd, controlSocket }: Surroundings,
): Locations {
  const locations = locationsIn(draft.runDir ?? defaultRunDir(variables, host, cwd), {
    controlSocket: controlSocket ?? draft.controlSocket,
    pidFile: draft.pidFile,
  });
  try {
    requireShortPath(locations.controlSocket, "the control socket");
  } catch (error) {
    place
      .at(draft.controlSocket === undefined ? "runDir" : "controlSocket")
      .fail((error as RangeError).message);
  }
  return locations;
}

/** PM2 warns and goes on without; a misspelt name would then run production with the settings of development. */
function checkEnvironmentName(pools: readonly PoolDraft[], place: Place, name: string | undefined): void {
  if (name === undefined || pools.some((pool) => pool.environmentNames.includes(name))) return;
  const known = [...new Set(pools.flatMap((pool) => pool.environmentNames))];
  const hint = known.length > 0 ? `there is ${known.join(", ")}` : "no pool has any env_<name>";
  place.fail(`--env ${show(name)}: no pool has "env_${name}"; ${hint}`);
}

/** By line and column; what has no place keeps its order, in front. */
function inOrder(issues: readonly ConfigIssue[]): ConfigIssue[] {
  return [...issues].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
