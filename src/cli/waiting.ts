/** Waits for a long operation and tells meanwhile, from the status document, what it waits for. */

import type { ControlClient } from "../control/client.ts";
import type { PoolStatus, StatusDocument } from "../control/messages.ts";
import { plural } from "../core/format.ts";
import { progress } from "./progress.ts";
import type { Io } from "./verb.ts";

const LOOK_EVERY_MS = 250;

/**
 * @param work what is waited for; its result, or error, is passed on
 * @param tell the line to show for a status document
 */
export async function showWhile<T>(
  work: Promise<T>,
  client: ControlClient,
  io: Io,
  tell: (status: StatusDocument) => string,
): Promise<T> {
  const line = progress(io);
  if (!line.shown) return work;
  const over = new AbortController();
  const watching = watch(client, over.signal, (status) => line.update(tell(status)));
  try {
    return await work;
  } finally {
    over.abort();
    await watching;
    line.done();
  }
}

async function watch(
  client: ControlClient,
  over: AbortSignal,
  show: (status: StatusDocument) => void,
): Promise<void> {
  while (!over.aborted) {
    // Nothing to show is no reason to fail: the operation's own answer tells what is wrong.
    const status = await Promise.race([
      client.json<StatusDocument>("GET", "/v1/status").catch(() => null),
      aborted(over),
    ]);
    if (status !== null && !over.aborted) show(status);
    await Promise.race([pause(LOOK_EVERY_MS, over), aborted(over)]);
  }
}

/** `reloading web (generation 3: 1 of 2 ready), api (…)`. */
export function tellRoll(status: StatusDocument): string {
  const rolling = status.pools.filter(({ state }) => state === "reloading" || state === "starting");
  return rolling.length === 0 ? "waiting for the supervisor" : `rolling ${rolling.map(tellPool).join(", ")}`;
}

/** `stopping: 3 workers left, 2 requests active`. */
export function tellStop(status: StatusDocument): string {
  const left = status.pools.reduce((sum, { workers }) => sum + workers.total, 0);
  const active = status.pools.reduce((sum, { requests }) => sum + (requests.active ?? 0), 0);
  return `stopping: ${plural(left, "worker")} left, ${plural(active, "request")} active`;
}

function tellPool({ name, generation, processes, workers }: PoolStatus): string {
  const newest = Math.max(generation, ...processes.map((process) => process.generation));
  const ready = processes.filter(
    (process) => process.generation === newest && (process.state === "ready" || process.state === "busy"),
  );
  return `${name} (generation ${newest}: ${ready.length} of ${workers.wanted} ready)`;
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}
