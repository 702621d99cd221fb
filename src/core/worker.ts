/**
 * The life of one worker process, as a table of state × input. Every cell is filled; "nothing happens" is `stay`.
 *
 * A stop escalates: the drain message, at the deadline the stop signal, a moment later SIGKILL to the process group.
 * A worker that is not ready yet has no request to finish, so its stop begins with the signal.
 */

import type { ExitCause, StopCause } from "./events.ts";

/** Times are monotonic milliseconds. */
export type WorkerState =
  | { readonly kind: "starting"; readonly since: number; readonly readyBy: number }
  | { readonly kind: "ready"; readonly since: number }
  | {
      readonly kind: "draining";
      readonly since: number;
      readonly cause: StopCause;
      readonly wasReady: boolean;
      /** When the next step of the escalation is due: the stop signal, then SIGKILL. */
      readonly nextAt: number;
      readonly signalled: boolean;
    }
  | {
      readonly kind: "killing";
      readonly since: number;
      readonly cause: StopCause;
      readonly wasReady: boolean;
    }
  | {
      readonly kind: "gone";
      readonly exit: ExitCause;
      readonly wasReady: boolean;
      readonly readyForMs: number;
    };

export type WorkerInput =
  | { readonly kind: "ready" }
  | { readonly kind: "stop"; readonly cause: StopCause; readonly graceMs: number }
  | { readonly kind: "kill"; readonly cause: StopCause }
  | { readonly kind: "exited"; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: "spawn-failed"; readonly error: string }
  | { readonly kind: "tick" };

export type WorkerEffect =
  | { readonly kind: "send-drain"; readonly deadlineMs: number }
  | { readonly kind: "send-stop-signal" }
  | { readonly kind: "kill-group" };

export interface Step {
  readonly state: WorkerState;
  readonly effects: readonly WorkerEffect[];
}

/** How long a worker has after the stop signal, where the drain before it was at least as long. */
const SIGNAL_GRACE_MS = 1_000;

type StateOf<K extends WorkerState["kind"]> = Extract<WorkerState, { kind: K }>;
type InputOf<K extends WorkerInput["kind"]> = Extract<WorkerInput, { kind: K }>;
type Table = {
  readonly [S in WorkerState["kind"]]: {
    readonly [I in WorkerInput["kind"]]: (state: StateOf<S>, input: InputOf<I>, now: number) => Step;
  };
};

const stay = (state: WorkerState): Step => ({ state, effects: [] });
const become = (state: WorkerState, ...effects: WorkerEffect[]): Step => ({ state, effects });

const table: Table = {
  starting: {
    ready: (_, __, now) => become({ kind: "ready", since: now }),
    stop: (_, { cause }, now) =>
      become(signalled(cause, false, now, now, SIGNAL_GRACE_MS), { kind: "send-stop-signal" }),
    kill: (_, { cause }, now) => kill(cause, false, now),
    exited: () => become({ kind: "gone", exit: { kind: "start-failed" }, wasReady: false, readyForMs: 0 }),
    "spawn-failed": (_, { error }) => spawnFailed(error),
    tick: (state, _, now) => {
      if (now < state.readyBy) return stay(state);
      const cause: StopCause = { kind: "start-timeout", limitMs: state.readyBy - state.since };
      return become(signalled(cause, false, now, now, SIGNAL_GRACE_MS), { kind: "send-stop-signal" });
    },
  },
  ready: {
    ready: stay,
    stop: (_, { cause, graceMs }, now) =>
      become(
        { kind: "draining", since: now, cause, wasReady: true, nextAt: now + graceMs, signalled: false },
        { kind: "send-drain", deadlineMs: graceMs },
      ),
    kill: (_, { cause }, now) => kill(cause, true, now),
    exited: (state, _, now) =>
      become({ kind: "gone", exit: { kind: "crashed" }, wasReady: true, readyForMs: now - state.since }),
    "spawn-failed": (_, { error }) => spawnFailed(error),
    tick: stay,
  },
  draining: {
    // It became ready while the signal was on its way to it; it drains all the same.
    ready: stay,
    stop: stay,
    kill: (state, { cause }, now) => kill(cause, state.wasReady, now),
    exited: (state) => become(stopped(state)),
    "spawn-failed": (_, { error }) => spawnFailed(error),
    tick: (state, _, now) => {
      if (now < state.nextAt) return stay(state);
      if (state.signalled) return kill(state.cause, state.wasReady, now, state.since);
      const grace = Math.min(SIGNAL_GRACE_MS, state.nextAt - state.since);
      return become(signalled(state.cause, state.wasReady, state.since, now, grace), {
        kind: "send-stop-signal",
      });
    },
  },
  killing: {
    ready: stay,
    stop: stay,
    // The first SIGKILL may have met a process that was just forking.
    kill: (state) => become(state, { kind: "kill-group" }),
    exited: (state, _, now) =>
      become({
        kind: "gone",
        exit: { kind: "killed", cause: state.cause, afterMs: now - state.since },
        wasReady: state.wasReady,
        readyForMs: 0,
      }),
    "spawn-failed": (_, { error }) => spawnFailed(error),
    tick: stay,
  },
  gone: { ready: stay, stop: stay, kill: stay, exited: stay, "spawn-failed": stay, tick: stay },
};

/** One step of a worker's life. Pure. @param now monotonic milliseconds */
export function step(state: WorkerState, input: WorkerInput, now: number): Step {
  // The table's type has tied each state and input to its cell; TypeScript cannot follow the double index.
  const cell = table[state.kind][input.kind] as (state: WorkerState, input: WorkerInput, now: number) => Step;
  return cell(state, input, now);
}

/** A worker that has just been spawned. */
export function starting(now: number, startTimeoutMs: number): WorkerState {
  return { kind: "starting", since: now, readyBy: now + startTimeoutMs };
}

/** When the worker next needs a `tick`; Infinity where it waits for nothing. */
export function nextTick(state: WorkerState): number {
  if (state.kind === "starting") return state.readyBy;
  if (state.kind === "draining") return state.nextAt;
  return Number.POSITIVE_INFINITY;
}

/** @returns whether a worker that ended so has failed to start, whoever ended it */
export function failedToStart(exit: ExitCause): boolean {
  if (exit.kind === "start-failed" || exit.kind === "spawn-failed") return true;
  return (exit.kind === "stopped" || exit.kind === "killed") && exit.cause.kind === "start-timeout";
}

function signalled(
  cause: StopCause,
  wasReady: boolean,
  since: number,
  now: number,
  graceMs: number,
): WorkerState {
  return { kind: "draining", since, cause, wasReady, nextAt: now + graceMs, signalled: true };
}

function kill(cause: StopCause, wasReady: boolean, now: number, since = now): Step {
  return become({ kind: "killing", since, cause, wasReady }, { kind: "kill-group" });
}

function spawnFailed(error: string): Step {
  return become({ kind: "gone", exit: { kind: "spawn-failed", error }, wasReady: false, readyForMs: 0 });
}

function stopped(state: StateOf<"draining">): WorkerState {
  return {
    kind: "gone",
    exit: { kind: "stopped", cause: state.cause },
    wasReady: state.wasReady,
    readyForMs: 0,
  };
}
