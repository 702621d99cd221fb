/** The status document as a person reads it: the supervisor, a row a pool, what is wrong, a row a worker. Pure. */

import type {
  PoolState,
  PoolStatus,
  ProcessState,
  ProcessStatus,
  StatusDocument,
} from "../control/messages.ts";
import { humanBytes, humanCount, humanDuration, humanRate } from "../core/format.ts";
import { type Colour, type Paint, plain } from "./colour.ts";
import { printable } from "./printable.ts";
import { type Column, renderTable } from "./table.ts";

export interface StatusView {
  /** In characters; Infinity leaves nothing out. */
  readonly width: number;
  /** Milliseconds since the epoch, for "next try in …". */
  readonly now: number;
  readonly paint?: Paint;
}

const POOL_COLOURS: { readonly [S in PoolState]: Colour } = {
  ok: "green",
  starting: "cyan",
  reloading: "cyan",
  draining: "yellow",
  degraded: "red",
  stopped: "dim",
};

const PROCESS_COLOURS: { readonly [S in ProcessState]: Colour | undefined } = {
  starting: "cyan",
  ready: undefined,
  busy: "green",
  draining: "yellow",
  killing: "red",
  backoff: "red",
  stopped: "dim",
};

const POOL_COLUMNS: readonly Column<PoolStatus>[] = [
  { title: "POOL", align: "left", rank: 0, cell: (pool) => pool.name },
  {
    title: "STATE",
    align: "left",
    rank: 0,
    cell: (pool) => pool.state,
    colour: (pool) => POOL_COLOURS[pool.state],
  },
  { title: "READY", align: "right", rank: 0, cell: ({ workers }) => `${workers.ready}/${workers.wanted}` },
  { title: "BUSY", align: "right", rank: 3, cell: ({ workers }) => humanCount(workers.busy) },
  { title: "REQ/S", align: "right", rank: 1, cell: ({ requests }) => humanRate(requests.perSecond) },
  { title: "REQUESTS", align: "right", rank: 4, cell: ({ requests }) => humanCount(requests.total) },
  {
    title: "FAILED",
    align: "right",
    rank: 2,
    cell: ({ requests }) => humanCount(requests.failed),
    colour: ({ requests }) => ((requests.failed ?? 0) > 0 ? "yellow" : undefined),
  },
  { title: "P95", align: "right", rank: 5, cell: ({ requests }) => humanDuration(requests.latencyMs.p95) },
  { title: "QUEUE", align: "right", rank: 3, cell: ({ queue }) => humanCount(queue.length) },
  { title: "RESTARTS", align: "right", rank: 4, cell: ({ restarts }) => humanCount(restarts.total) },
  { title: "GEN", align: "right", rank: 6, cell: (pool) => humanCount(pool.generation) },
  { title: "PROTOCOL", align: "left", rank: 7, cell: (pool) => pool.protocol },
  {
    title: "LISTEN",
    align: "left",
    rank: 5,
    cell: ({ listen, http }) => [...listen, ...(http === null ? [] : [http])].join(" "),
  },
];

type Worker = ProcessStatus & { readonly pool: string };

const WORKER_COLUMNS: readonly Column<Worker>[] = [
  { title: "WORKER", align: "left", rank: 0, cell: ({ pool, slot }) => `${pool}:${slot}` },
  { title: "PID", align: "right", rank: 1, cell: ({ pid }) => (pid === null ? "-" : String(pid)) },
  {
    title: "STATE",
    align: "left",
    rank: 0,
    cell: ({ state }) => state,
    colour: ({ state }) => PROCESS_COLOURS[state],
  },
  { title: "UP", align: "right", rank: 2, cell: ({ uptimeMs }) => humanDuration(uptimeMs) },
  { title: "REQUESTS", align: "right", rank: 3, cell: ({ requests }) => humanCount(requests) },
  { title: "ACTIVE", align: "right", rank: 4, cell: ({ active }) => humanCount(active) },
  { title: "MEMORY", align: "right", rank: 2, cell: ({ rssBytes }) => humanBytes(rssBytes) },
  { title: "CPU%", align: "right", rank: 3, cell: ({ cpuPercent }) => humanRate(cpuPercent) },
  {
    title: "LOOP%",
    align: "right",
    rank: 6,
    cell: (worker) => humanRate(percent(worker.eventLoopUtilization)),
  },
  { title: "GEN", align: "right", rank: 6, cell: ({ generation }) => humanCount(generation) },
  { title: "DOING", align: "left", rank: 5, cell: doing },
];

/** @returns the lines, without line feeds */
export function renderStatus(document: StatusDocument, view: StatusView): string[] {
  const { width, paint = plain } = view;
  const workers = document.pools.flatMap(({ name, processes }) =>
    processes.map((process): Worker => ({ ...process, pool: name })),
  );
  const troubles = document.pools.flatMap((pool) => troublesOf(pool, view.now));
  return [
    renderSupervisor(document.supervisor, width, paint),
    "",
    ...(document.pools.length === 0 ? ["no pools"] : renderTable(POOL_COLUMNS, document.pools, width, paint)),
    ...(troubles.length === 0 ? [] : ["", ...troubles.map((line) => paint("yellow", printable(line)))]),
    ...(workers.length === 0 ? [] : ["", ...renderTable(WORKER_COLUMNS, workers, width, paint)]),
  ];
}

function renderSupervisor(supervisor: StatusDocument["supervisor"], width: number, paint: Paint): string {
  const { version, state, pid, uptimeMs, rssBytes, cpuPercent, configFile } = supervisor;
  const facts = [`pid ${pid}`, `up ${humanDuration(uptimeMs)}`];
  if (rssBytes !== null) facts.push(humanBytes(rssBytes));
  if (cpuPercent !== null) facts.push(`${humanRate(cpuPercent)} % CPU`);
  if (configFile !== null) facts.push(printable(configFile));
  const title = `gwpm ${version} ${state}`;
  let line = title;
  for (const fact of facts) {
    if (line.length + 2 + fact.length <= width) line += `  ${fact}`;
  }
  return paint("bold", title) + line.slice(title.length);
}

function troublesOf(pool: PoolStatus, now: number): string[] {
  const troubles: string[] = [];
  if (pool.reason !== null || pool.state === "degraded") {
    const next = pool.nextTryAt === null ? "" : `; next try ${whenIs(Date.parse(pool.nextTryAt), now)}`;
    troubles.push(`${pool.name} is ${pool.state}: ${pool.reason ?? "no reason was given"}${next}`);
  }
  if (pool.lastReload?.result === "rolled-back") {
    const { generation, reason } = pool.lastReload;
    troubles.push(
      `${pool.name}: the last reload, to generation ${generation}, was rolled back: ${reason ?? "no reason was given"}`,
    );
  }
  if (pool.probe?.ok === false) {
    troubles.push(`${pool.name}: the probe fails: ${pool.probe.lastError ?? "no reason was given"}`);
  }
  return troubles;
}

function whenIs(at: number, now: number): string {
  return at <= now ? "now" : `in ${humanDuration(at - now)}`;
}

/** What the worker serves, or how the slot's last process ended. */
function doing({ current, lastExit, state }: Worker): string {
  const [first, ...others] = current;
  if (first !== undefined) {
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    return printable(`${first.method} ${first.uri} ${humanDuration(first.elapsedMs)}${more}`);
  }
  const isDown = state === "backoff" || state === "stopped";
  return isDown && lastExit !== null ? printable(lastExit.cause) : "";
}

function percent(share: number | null): number | null {
  return share === null ? null : share * 100;
}
