/** Memory and CPU of processes. */

import pidusage from "pidusage";

export interface Usage {
  /** Resident set size. */
  readonly rssBytes: number | null;
  /** Of one core, since the figure was last asked for; the first time, since the process began. */
  readonly cpuPercent: number | null;
}

const UNKNOWN: Usage = { rssBytes: null, cpuPercent: null };

/** By pid. A process that is gone has no figures. */
export async function usageOf(pids: readonly number[]): Promise<Map<number, Usage>> {
  const figures = await Promise.all(pids.map(async (pid) => [pid, await one(pid)] as const));
  return new Map(figures);
}

async function one(pid: number): Promise<Usage> {
  try {
    const { memory, cpu } = await pidusage(pid);
    return { rssBytes: memory, cpuPercent: Math.round(cpu * 10) / 10 };
  } catch {
    return UNKNOWN;
  }
}
