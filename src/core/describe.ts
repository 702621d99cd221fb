/** Tells an event, and the cause of one, as a sentence. Pure: the same event gives the same words. */

import type { ExitCause, GwpmEvent, LostRequest, StartCause, StopCause } from "./events.ts";
import { humanBytes, humanCount, humanDuration, plural } from "./format.ts";

type EventOf<Type extends GwpmEvent["type"]> = Extract<GwpmEvent, { type: Type }>;

/** One teller for each type; a new type does not compile until it has one. */
const TELLERS: { readonly [Type in GwpmEvent["type"]]: (event: EventOf<Type>) => string } = {
  "supervisor-started": ({ pid, version, configFile }) =>
    `Supervisor ${version} started (pid ${pid})${configFile === null ? "" : ` with ${configFile}`}`,
  "supervisor-stopping": ({ by, fast }) => `Supervisor stops${fast ? " fast" : ""}, asked by ${by}`,
  "supervisor-stopped": ({ pid }) => `Supervisor stopped (pid ${pid})`,
  "supervisor-upgrading": ({ pid, by }) =>
    `Supervisor ${pid} starts a new one to hand over to, asked by ${by}`,
  "supervisor-upgraded": ({ pid, version, formerPid, tookMs }) =>
    `Supervisor ${version} (pid ${pid}) took over from pid ${formerPid} after ${humanDuration(tookMs)}`,
  "supervisor-upgrade-failed": ({ pid, reason }) =>
    `The upgrade failed and supervisor ${pid} goes on: ${reason}`,
  "config-rejected": ({ errors }) =>
    `The configuration was rejected and the running one goes on: ${errors.join("; ")}`,
  warning: ({ text, pool }) => `Warning${pool === undefined ? "" : ` for pool "${pool}"`}: ${text}`,
  "pool-started": ({ pool, listen, wanted }) =>
    `Pool "${pool}" listens on ${listen.join(", ")} and wants ${plural(wanted, "worker")}`,
  "pool-ready": ({ pool, generation, tookMs }) =>
    `Pool "${pool}" is ready in generation ${generation} after ${humanDuration(tookMs)}`,
  "pool-degraded": ({ pool, reason, nextTryAt, at }) =>
    `Pool "${pool}" is degraded: ${reason}; ${nextTry(nextTryAt, at)}`,
  "pool-recovered": ({ pool }) => `Pool "${pool}" has recovered`,
  "pool-scaled": ({ pool, from, to, by }) =>
    `Pool "${pool}" goes from ${humanCount(from)} to ${plural(to, "worker")}, asked by ${by}`,
  "pool-drained": ({ pool }) => `Pool "${pool}" is drained: its sockets refuse until it is resumed`,
  "pool-resumed": ({ pool }) => `Pool "${pool}" takes work again`,
  "pool-stopped": ({ pool }) => `Pool "${pool}" stopped`,
  "listener-opened": ({ pool, address, how }) =>
    how === "bound"
      ? `Pool "${pool}" opened ${address}`
      : `Pool "${pool}" took over ${address} from an earlier supervisor`,
  "listener-closed": ({ pool, address }) => `Pool "${pool}" closed ${address}`,
  "reload-started": ({ pool, generation, by }) =>
    `Pool "${pool}" rolls to generation ${generation}, asked by ${by}`,
  "reload-finished": ({ pool, generation, result, reason, tookMs }) =>
    result === "ok"
      ? `Pool "${pool}" rolled to generation ${generation} in ${humanDuration(tookMs)}`
      : `Pool "${pool}" rolled back from generation ${generation} after ${humanDuration(tookMs)}: ${reason ?? "no reason was given"}`,
  "worker-starting": (event) => `${workerOf(event)} starts: ${describeStart(event.cause)}`,
  "worker-ready": (event) => `${workerOf(event)} is ready after ${humanDuration(event.tookMs)}`,
  "worker-draining": (event) =>
    `${workerOf(event)} finishes its requests within ${humanDuration(event.deadlineMs)}: ${describeStop(event.cause)}`,
  "worker-killing": (event) =>
    `${workerOf(event)} is killed, having not finished after ${humanDuration(event.afterMs)}: ${describeStop(event.cause)}`,
  "worker-exited": tellExit,
  "worker-backoff": ({ pool, slot, attempt, delayMs }) =>
    `Worker ${slot} of pool "${pool}" is tried again in ${humanDuration(delayMs)} (attempt ${attempt})`,
  "orphan-found": ({ pool, pid, slot, formerSupervisor }) =>
    `Worker ${slot} of pool "${pool}" (pid ${pid}) was left by supervisor ${formerSupervisor} and is known again`,
  "orphan-gone": ({ pool, pid, slot }) =>
    `Worker ${slot} of pool "${pool}" (pid ${pid}), left behind, is gone`,
};

/** One sentence, without its time. An event of a type that a newer supervisor sends is told by its type and fields. */
export function describeEvent(event: GwpmEvent): string {
  const teller = Object.hasOwn(TELLERS, event.type) ? TELLERS[event.type] : undefined;
  return teller === undefined ? describeUnknown(event) : (teller as (event: GwpmEvent) => string)(event);
}

/** Why a worker was started: completes "Worker 3 starts: …". */
export function describeStart(cause: StartCause): string {
  switch (cause.kind) {
    case "pool-start":
      return "the pool starts";
    case "scale-up":
      return `the pool wants ${plural(cause.wanted, "worker")}`;
    case "reload":
      return `a reload replaces generation ${cause.fromGeneration}`;
    case "replace":
      return `it replaces pid ${cause.pid}, which ${BECAUSE[cause.because]}`;
    case "retry":
      return `attempt ${cause.attempt} after a failure`;
  }
}

/** Why a worker was asked to stop: completes "Worker 3 finishes: …". */
export function describeStop(cause: StopCause): string {
  switch (cause.kind) {
    case "reload":
      return `generation ${cause.toGeneration} has taken over`;
    case "scale-down":
      return `the pool wants ${plural(cause.wanted, "worker")}`;
    case "recycle":
      return "the operator recycled it";
    case "asked":
      return `it asked to be replaced (${cause.reason})`;
    case "max-requests":
      return `it served ${plural(cause.served, "request")}, and ${humanCount(cause.limit)} was its limit`;
    case "max-lifetime":
      return `it is ${humanDuration(cause.ageMs)} old, and ${humanDuration(cause.limitMs)} was its limit`;
    case "max-memory":
    case "max-memory-hard":
      return `it holds ${humanBytes(cause.rssBytes)} of memory, and ${humanBytes(cause.limit)} is the limit`;
    case "max-idle":
      return `it had nothing to do for ${humanDuration(cause.idleMs)}`;
    case "drain":
      return `${cause.by} drains the pool`;
    case "pool-removed":
      return "the pool was removed from the configuration";
    case "rollback":
      return `the pool went back to generation ${cause.generation}`;
    case "upgrade":
      return `supervisor ${cause.successor} has taken over`;
    case "start-timeout":
      return `it was not ready within ${humanDuration(cause.limitMs)}`;
    case "orphaned":
      return `its supervisor ${cause.formerSupervisor} is gone`;
    case "supervisor-stop":
      return cause.fast ? "the supervisor stops fast" : "the supervisor stops";
  }
}

/** What a worker's end was: completes "Worker 3 …". */
export function describeExit(cause: ExitCause, code: number | null, signal: string | null): string {
  const how = describeStatus(code, signal);
  if ((cause.kind === "stopped" || cause.kind === "killed") && cause.cause.kind === "start-timeout") {
    return `was not ready within ${humanDuration(cause.cause.limitMs)}`;
  }
  switch (cause.kind) {
    case "stopped":
      return `ended as asked (${how}): ${describeStop(cause.cause)}`;
    case "killed":
      return `was killed after ${humanDuration(cause.afterMs)}: ${describeStop(cause.cause)}`;
    case "start-failed":
      return `${how} before it was ready`;
    case "crashed":
      return `crashed: ${how}`;
    case "spawn-failed":
      return `could not be started: ${cause.error}`;
  }
}

/** `exited with code 1`, `was ended by SIGKILL`. */
export function describeStatus(code: number | null, signal: string | null): string {
  if (signal !== null) return `ended by ${signal}`;
  return code === null ? "ended, nobody knows how" : `exited with code ${code}`;
}

/** The end of "it replaces pid 4242, which …". */
const BECAUSE: { readonly [Kind in StopCause["kind"] | ExitCause["kind"]]: string } = {
  reload: "is of an older generation",
  "scale-down": "was one too many",
  recycle: "the operator recycled",
  asked: "asked to be replaced",
  "max-requests": "has served its requests",
  "max-lifetime": "is too old",
  "max-memory": "has grown too big",
  "max-memory-hard": "had grown far too big",
  "max-idle": "had nothing to do",
  drain: "was drained",
  "pool-removed": "belonged to a removed pool",
  rollback: "was rolled back",
  upgrade: "belonged to an earlier supervisor",
  "start-timeout": "was not ready in time",
  orphaned: "an earlier supervisor had left",
  "supervisor-stop": "stopped with its supervisor",
  stopped: "ended as asked",
  killed: "had to be killed",
  "start-failed": "failed to start",
  crashed: "crashed",
  "spawn-failed": "could not be started",
};

function tellExit(event: EventOf<"worker-exited">): string {
  const parts = [`${workerOf(event)} ${describeExit(event.cause, event.code, event.signal)}`];
  const served = event.requests === null ? "" : ` and ${plural(event.requests, "request")}`;
  parts.push(`after ${humanDuration(event.uptimeMs)}${served}`);
  if (event.lost.length > 0) parts.push(`while serving ${event.lost.map(tellLost).join(", ")}`);
  const sentence = parts.join(", ");
  const telling = tellingLine(event.output);
  return telling === undefined ? sentence : `${sentence}; it said: ${telling}`;
}

/** The line of its last words that says most: the error where there is one, never Node's sign-off. */
function tellingLine(output: readonly string[]): string | undefined {
  const lines = output
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^Node\.js v\d/.test(line));
  return lines.findLast((line) => /^(Uncaught )?\w*(Error|Exception)\b.*:/.test(line)) ?? lines.at(-1);
}

function tellLost({ method, uri, elapsedMs }: LostRequest): string {
  return `${method} ${uri} (for ${humanDuration(elapsedMs)})`;
}

function nextTry(nextTryAt: number | null, at: number): string {
  return nextTryAt === null
    ? "no next try is set"
    : `next try in ${humanDuration(Math.max(0, nextTryAt - at))}`;
}

function workerOf(event: { pool: string; slot: number; pid: number; generation: number }): string {
  return `Worker ${event.slot} of pool "${event.pool}" (pid ${event.pid}, generation ${event.generation})`;
}

function describeUnknown(event: object): string {
  const { type, at: _at, seq: _seq, ...fields } = event as Record<string, unknown>;
  return `${String(type)} ${JSON.stringify(fields)}`;
}
