/** One worker process: spawned, told to stop, killed, and watched to its end. Decides nothing; `core/worker.ts` does. */

import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import type { EffectivePool } from "../config/types.ts";
import {
  type SupervisorMessage,
  WORKER_ENV,
  type WorkerMessage,
  type WorkerOptions,
} from "../control/messages.ts";
import { formatAddress } from "../core/address.ts";
import type { StopCause } from "../core/events.ts";
import type { RecycleLimits } from "../core/recycling.ts";
import { starting, type WorkerEffect, type WorkerState } from "../core/worker.ts";
import {
  createScoreboard,
  openScoreboard,
  type ScoreboardReader,
  type ScoreboardSnapshot,
} from "../observe/scoreboard.ts";
import type { Launch } from "../runtimes/launch.ts";
import { startTimeOf } from "../system/procfs.ts";
import { signalGroup, signalProcess } from "../system/signals.ts";
import { neverWait } from "../system/sockets.ts";
import type { Listener } from "./listeners.ts";
import { OutputCapture } from "./output.ts";
import type { RunDir, SavedWorker } from "./run-dir.ts";

/** How many of its last lines a worker's obituary quotes. */
const LAST_LINES = 20;

/** fd 3 is the control channel and fd 4 the scoreboard; further listening sockets follow (SPEC §5). */
const FIRST_FURTHER_LISTEN_FD = 5;

export interface SpawnRequest {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  readonly pool: EffectivePool;
  readonly launch: Launch;
  readonly listeners: readonly Listener[];
  readonly runDir: RunDir;
  readonly limits: RecycleLimits;
  /** Monotonic and epoch milliseconds. */
  readonly now: { readonly monotonic: number; readonly epoch: number };
}

export interface ProcessReports {
  onReady(): void;
  onRecycleAsked(reason: string): void;
  onMaxRequests(): void;
  onExit(code: number | null, signal: string | null): void;
  onSpawnFailed(error: string): void;
  onLine(stream: "stdout" | "stderr", line: { text: string; truncated: boolean }): void;
}

export class WorkerProcess {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  /** The configuration that it was started with. */
  readonly pool: EffectivePool;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly #scoreboard: ScoreboardReader;
  /** Its own, with the jitter in them. */
  readonly limits: RecycleLimits;
  state: WorkerState;
  /** Why it should be replaced although its generation is current. */
  replace: StopCause | null = null;

  readonly #child: ChildProcess | undefined;
  readonly #request: SpawnRequest;
  readonly #reports: ProcessReports;
  readonly #capture: { readonly stdout: OutputCapture; readonly stderr: OutputCapture };
  readonly #scoreboardPath: string;
  readonly #startTime: number | undefined;
  readonly #lastLines: string[] = [];
  /** What it had counted when it ended. */
  #finalBoard: ScoreboardSnapshot | null = null;
  #ended = false;

  constructor(request: SpawnRequest, reports: ProcessReports) {
    this.#request = request;
    this.#reports = reports;
    this.id = request.id;
    this.slot = request.slot;
    this.generation = request.generation;
    this.pool = request.pool;
    this.startedAt = request.now.epoch;
    this.limits = request.limits;
    this.state = starting(request.now.monotonic, request.pool.timeouts.startMs);
    const stem = request.runDir.ioPath(`${request.pool.name}.${request.slot}.${process.pid}-${request.id}`);
    this.#capture = { stdout: this.#open(stem, "stdout"), stderr: this.#open(stem, "stderr") };
    this.#scoreboardPath = `${stem}.board`;
    createScoreboard(this.#scoreboardPath);
    this.#scoreboard = openScoreboard(this.#scoreboardPath);
    this.#child = this.#spawn();
    this.#startTime = this.pid === 0 ? undefined : startTimeOf(this.pid);
  }

  /** 0 where it could not be spawned. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** What it counts; after its end, what it had counted. `null` where it has written nothing yet. */
  board(): ScoreboardSnapshot | null {
    return this.#ended ? this.#finalBoard : this.#scoreboard.read();
  }

  /** Its last lines, of both streams, oldest first. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  /** @param idle whether kept connections that are idle are worth keeping: not where nobody succeeds the worker */
  perform(effect: WorkerEffect, idle: "keep" | "close"): void {
    if (this.pid === 0) return;
    switch (effect.kind) {
      case "send-drain":
        this.#drain({ gwpm: "drain", deadlineMs: effect.deadlineMs, idle });
        return;
      case "send-stop-signal":
        signalProcess(this.pid, this.pool.stopSignal);
        return;
      case "kill-group":
        signalGroup(this.pid, "SIGKILL");
    }
  }

  /** What the next supervisor would need to find it. */
  save(): SavedWorker | undefined {
    if (this.#startTime === undefined) return undefined;
    return {
      slot: this.slot,
      pid: this.pid,
      startTime: this.#startTime,
      generation: this.generation,
      listenFds: this.#listenFds(),
      stdout: this.#capture.stdout.path,
      stderr: this.#capture.stderr.path,
      scoreboard: this.#scoreboardPath,
    };
  }

  #open(stem: string, stream: "stdout" | "stderr"): OutputCapture {
    return OutputCapture.create(`${stem}.${stream}`, this.pool.logs.maxLineBytes, (line) => {
      this.#lastLines.push(line.text);
      if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
      this.#reports.onLine(stream, line);
    });
  }

  #spawn(): ChildProcess | undefined {
    const { launch, listeners, pool } = this.#request;
    const handedOver = [
      this.#capture.stdout.openForWorker(),
      this.#capture.stderr.openForWorker(),
      fs.openSync(this.#scoreboardPath, "r+"),
    ] as const;
    const [stdout, stderr, board] = handedOver;
    const [first, ...further] = listeners.map((listener) => listener.fd);
    try {
      const child = spawn(launch.command, launch.args, {
        cwd: pool.cwd,
        env: this.#environment(),
        stdio: [first ?? "ignore", stdout, stderr, "ipc", board, ...further],
        // A session and process group of its own: Ctrl-C in our terminal is ours alone, and a kill reaches its children.
        detached: true,
      });
      if (first !== undefined) neverWait(first);
      this.#watch(child);
      return child;
    } catch (error) {
      // E2BIG, EAGAIN and the like are thrown; ENOENT comes as an event.
      queueMicrotask(() => this.#end(() => this.#reports.onSpawnFailed(messageOf(error))));
      return undefined;
    } finally {
      for (const fd of handedOver) fs.closeSync(fd);
    }
  }

  #watch(child: ChildProcess): void {
    child.on("error", (error) => {
      if (child.pid === undefined) this.#end(() => this.#reports.onSpawnFailed(messageOf(error)));
    });
    child.on("message", (message) => {
      if (message === "ready") return this.#reports.onReady();
      const { gwpm, reason } = (message ?? {}) as { gwpm?: WorkerMessage["gwpm"]; reason?: unknown };
      if (gwpm === "ready") this.#reports.onReady();
      if (gwpm === "max-requests") this.#reports.onMaxRequests();
      if (gwpm === "recycle") this.#reports.onRecycleAsked(String(reason).slice(0, 1_000));
    });
    child.on("exit", (code, signal) => {
      // What it has started and left behind goes with it; the pid cannot be another's while its group lives.
      signalGroup(child.pid!, "SIGKILL");
      this.#end(() => this.#reports.onExit(code, signal));
    });
  }

  /** Reads the last lines and figures before the end is reported, so that the report can quote them. */
  #end(report: () => void): void {
    this.#capture.stdout.finish();
    this.#capture.stderr.finish();
    this.#finalBoard = this.#scoreboard.read();
    this.#ended = true;
    this.#scoreboard.close();
    fs.rmSync(this.#scoreboardPath, { force: true });
    report();
  }

  #drain(message: SupervisorMessage): void {
    // A worker that closed its channel, or whose runtime has none, is told by the signal alone.
    if (this.#child?.connected !== true) {
      signalProcess(this.pid, this.pool.stopSignal);
      return;
    }
    this.#child.send(message, (error) => {
      if (error !== null && error !== undefined) signalProcess(this.pid, this.pool.stopSignal);
    });
  }

  #listenFds(): { fd: number; address: string }[] {
    return this.#request.listeners.map((listener, i) => ({
      fd: i === 0 ? 0 : FIRST_FURTHER_LISTEN_FD + i - 1,
      address: formatAddress(listener.address),
    }));
  }

  #environment(): NodeJS.ProcessEnv {
    const { pool, launch, generation, slot } = this.#request;
    const options: WorkerOptions = {
      concurrency: pool.concurrency,
      idleConnectionMs: pool.timeouts.idleConnectionMs,
      stopMs: pool.timeouts.stopMs,
      maxRequests: this.limits.maxRequests,
      backlogs: pool.listen.map(({ backlog }) => backlog),
      wire: pool.wire,
    };
    return {
      ...(pool.clearEnv ? {} : process.env),
      ...pool.env,
      ...launch.env,
      NODE_APP_INSTANCE: String(slot),
      [WORKER_ENV.pool]: pool.name,
      [WORKER_ENV.slot]: String(slot),
      [WORKER_ENV.generation]: String(generation),
      [WORKER_ENV.protocol]: pool.protocol,
      [WORKER_ENV.listenFds]: this.#listenFds()
        .map(({ fd }) => fd)
        .join(","),
      [WORKER_ENV.scoreboardFd]: "4",
      [WORKER_ENV.options]: JSON.stringify(options),
    };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
