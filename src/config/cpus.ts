/** How many CPUs we may use: the default number of workers, in a container as well as on bare metal. */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";

/** Reads a small file of /proc or /sys; undefined where there is none. */
export type ReadFile = (path: string) => string | undefined;

const readSystemFile: ReadFile = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/**
 * The CPUs of the scheduler's affinity mask, cut by the quota of our cgroup or of any above it. A quota is rounded
 * down, at least to 1, as newer Nodes do themselves in `os.availableParallelism()`.
 */
export function allowedCpus(available = availableParallelism(), read: ReadFile = readSystemFile): number {
  const quota = Math.min(quotaOfV2(read), quotaOfV1(read));
  return Math.max(1, Math.min(available, Math.floor(quota)));
}

/** cgroup v2: `cpu.max` holds `<quota or "max"> <period>`, and the tightest on the way up to the root counts. */
function quotaOfV2(read: ReadFile): number {
  const own = /^0::(.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1];
  if (own === undefined) return Number.POSITIVE_INFINITY;
  return Math.min(
    ...ancestors(own).map((group) => {
      const [quota, period] = (read(join("/sys/fs/cgroup", group, "cpu.max")) ?? "").trim().split(" ");
      return share(quota, period);
    }),
  );
}

/** cgroup v1: a quota of -1 means none. Inside a container our own group is mounted as the root, so both are tried. */
function quotaOfV1(read: ReadFile): number {
  const own = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m.exec(read("/proc/self/cgroup") ?? "")?.[1];
  if (own === undefined) return Number.POSITIVE_INFINITY;
  return Math.min(
    ...ancestors(own).map((group) => {
      const folder = join("/sys/fs/cgroup/cpu", group);
      return share(read(join(folder, "cpu.cfs_quota_us")), read(join(folder, "cpu.cfs_period_us")));
    }),
  );
}

/** `/a/b` → `/a/b`, `/a`, `/`. */
function ancestors(group: string): string[] {
  const parent = dirname(group);
  return parent === group ? [group] : [group, ...ancestors(parent)];
}

function share(quota: string | undefined, period: string | undefined): number {
  const cpus = Number(quota) / Number(period);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : Number.POSITIVE_INFINITY;
}
