/** A child process of a test: its output in lines, its end as a promise, its process group for the kill. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Lines } from "./lines.ts";
import { within } from "./wait.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Written to stdin, which is then closed. @default nothing, stdin is /dev/null */
  readonly input?: string | Buffer;
  /** fds for the child's 3, 4, … */
  readonly extraFds?: readonly number[];
}

export class Child {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly stdout: Lines;
  readonly stderr: Lines;
  /** Resolves when the process has gone and its output has been read to the end. */
  readonly exited: Promise<Exit>;
  #process: ChildProcess;
  #closed = false;

  private constructor(child: ChildProcess, argv: readonly string[]) {
    this.#process = child;
    this.pid = child.pid!;
    this.argv = argv;
    this.stdout = new Lines(child.stdout!);
    this.stderr = new Lines(child.stderr!);
    this.exited = once(child, "close").then(([code, signal]) => {
      this.#closed = true;
      return { code, signal };
    });
  }

  /** @throws Error when the program cannot be run */
  static async start(argv: readonly [string, ...string[]], options: ChildOptions): Promise<Child> {
    const [file, ...args] = argv;
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env,
      // A group of its own, so that the kill takes everything that stayed in it.
      detached: true,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe", ...(options.extraFds ?? [])],
    });
    await once(child, "spawn");
    if (options.input !== undefined) {
      child.stdin!.on("error", () => {}); // EPIPE: it did not want its input; its exit code tells
      child.stdin!.end(options.input);
    }
    return new Child(child, argv);
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null && !this.#closed;
  }

  /** Waits for the end, and kills the group when it does not come in time. */
  async wait(deadlineMs?: number): Promise<Exit> {
    const what = `"${this.argv.join(" ")}" to end`;
    try {
      return await within(this.exited, { what, ...(deadlineMs === undefined ? {} : { deadlineMs }) }, () =>
        this.output(),
      );
    } catch (error) {
      this.killGroup("SIGKILL");
      throw error;
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Signals the process group; one that has already gone is no error. */
  killGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** Asks it to end, waits, and kills its group in the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Exit> {
    this.kill(signal);
    const exit = await this.wait();
    this.killGroup("SIGKILL");
    return exit;
  }

  /** For failure messages. */
  output(): string {
    return `--- stdout\n${this.stdout.text}--- stderr\n${this.stderr.text}`;
  }
}
