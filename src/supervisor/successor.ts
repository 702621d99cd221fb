/** The new supervisor, as the old one sees it during an upgrade: a child process on an IPC channel. */

import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import type { LogLine } from "../control/messages.ts";
import { OperationError } from "../control/target.ts";
import type { GwpmEvent } from "../core/events.ts";
import type { Totals } from "./tally.ts";
import type { Heir, ToPredecessor, ToSuccessor } from "./upgrade-messages.ts";

/** How many lines of a supervisor that ended without a word are quoted. */
const LAST_LINES = 20;

export interface LaunchOptions {
  readonly node: string;
  /** The entry of the supervisor's program: `main.js` of the version to change to. */
  readonly main: string;
  readonly order: unknown;
  /** For its fds from {@link FIRST_HANDED_FD} on. */
  readonly fds: readonly number[];
  /** Where its stdout and stderr go. */
  readonly outputFile: string;
}

/** 0 to 2 are stdin, stdout and stderr, 3 is the IPC channel. */
export const FIRST_HANDED_FD = 4;

type Answer<K extends ToPredecessor["kind"]> = Extract<ToPredecessor, { kind: K }>;

export class Successor implements Heir {
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;
  /** What it waits for, in a few words. */
  progress = "";
  readonly #child: ChildProcess;
  readonly #outputFile: string;
  readonly #outputFrom: number;
  #failure: OperationError | null = null;
  readonly #answers = new Map<ToPredecessor["kind"], ToPredecessor>();
  #wake = (): void => {};

  constructor({ node, main, order, fds, outputFile }: LaunchOptions) {
    const output = fs.openSync(outputFile, "a", 0o640);
    this.#outputFile = outputFile;
    this.#outputFrom = fs.fstatSync(output).size;
    this.#child = spawn(node, [main, JSON.stringify(order)], {
      detached: true,
      stdio: ["ignore", output, output, "ipc", ...fds],
    });
    fs.closeSync(output);
    this.#child.on("message", (message) => this.#hear(message as ToPredecessor));
    this.exited = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        this.#fail(`the new supervisor cannot be started: ${error.message}`, []);
        if (this.#child.pid === undefined) resolve();
      });
      this.#child.once("exit", (code, signal) => {
        const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
        this.#fail(
          `the new supervisor ${how} before it had taken over; see ${outputFile}`,
          this.#lastLines(),
        );
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /**
   * Waits for a message.
   *
   * @param timeoutMs after which it is killed: it should itself have given up before
   * @throws OperationError why it will not come any more
   */
  async answer<K extends "prepared" | "taken">(kind: K, timeoutMs: number): Promise<Answer<K>> {
    const timer = setTimeout(() => {
      this.#fail(`the new supervisor (pid ${this.pid}) did not answer within ${timeoutMs / 1_000} s`, []);
      this.#child.kill("SIGKILL");
    }, timeoutMs);
    try {
      for (;;) {
        const answer = this.#answers.get(kind);
        if (answer !== undefined) return answer as Answer<K>;
        if (this.#failure !== null) throw this.#failure;
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  tell(message: ToSuccessor): void {
    // A channel that breaks says that it has died, which `exited` tells.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  event(event: GwpmEvent): void {
    this.tell({ kind: "event", event });
  }

  line(line: LogLine): void {
    this.tell({ kind: "line", line });
  }

  totals(pool: string, totals: Totals): void {
    this.tell({ kind: "totals", pool, totals });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #hear(message: ToPredecessor): void {
    if (message.kind === "progress") this.progress = message.text;
    else if (message.kind === "failed") this.#fail(message.message, message.details, message.exitCode);
    else {
      this.#answers.set(message.kind, message);
      this.#wake();
    }
  }

  /** The first reason is the one that is told. */
  #fail(message: string, details: readonly string[], exitCode = 1): void {
    this.#failure ??= new OperationError("GWPM_UPGRADE_FAILED", message, { exitCode, errors: details });
    this.#wake();
  }

  #lastLines(): string[] {
    try {
      const text = fs.readFileSync(this.#outputFile).subarray(this.#outputFrom).toString("utf8");
      return text
        .split("\n")
        .filter((line) => line.trim() !== "")
        .slice(-LAST_LINES);
    } catch {
      return [];
    }
  }
}
