/**
 * What one test may touch: a private folder, the processes started in it, and the account of both at the end.
 * A test passes only when nothing that it started is left running and no socket is left behind.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Child, type ChildOptions } from "./child.ts";
import { isAlive, processesOf } from "./processes.ts";
import { waitFor } from "./wait.ts";

/** In the environment of everything that a sandbox starts; what survives a test is found by its value. */
const MARKER = "GWPM_TEST_SANDBOX";

/** How long processes that were told to end may take to disappear from /proc. */
const GRACE_MS = 2_000;

export class Sandbox {
  /** A short path: Unix sockets in it must stay under 107 bytes. */
  readonly dir: string;
  readonly #cleanups: (() => Promise<void> | void)[] = [];

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "gw-"));
  }

  /** A path in the folder. */
  path(...names: string[]): string {
    return join(this.dir, ...names);
  }

  /** Writes a file in the folder; an object is written as JSON. @returns its path */
  write(name: string, content: string | object): string {
    const file = resolve(this.dir, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content, null, 2));
    return file;
  }

  /** The environment for what the test starts: the outer one, without the outer gwpm's and the test runner's variables. */
  env(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const outer = Object.entries(process.env).filter(
      ([name]) => !/^(GWPM_|VITEST|TEST$|DEV$|PROD$|MODE$|NODE_ENV$|NODE_CHANNEL|npm_)/.test(name),
    );
    return {
      ...Object.fromEntries(outer),
      GWPM_HOME: this.path("run"),
      XDG_RUNTIME_DIR: this.dir,
      [MARKER]: this.dir,
      ...extra,
    };
  }

  /** Starts a program in the folder; it is stopped, if need be, when the test ends. */
  async start(
    argv: readonly [string, ...string[]],
    options: Partial<Omit<ChildOptions, "env">> & { env?: NodeJS.ProcessEnv } = {},
  ): Promise<Child> {
    const child = await Child.start(argv, { cwd: this.dir, ...options, env: this.env(options.env) });
    this.defer(async () => {
      if (child.running) await child.stop();
    });
    return child;
  }

  /** Runs when the test ends; the last one first. */
  defer(cleanup: () => Promise<void> | void): void {
    this.#cleanups.push(cleanup);
  }

  /** Kills what a test has left running on purpose, such as the workers of a supervisor that it killed. */
  killSurvivors(): string[] {
    const found = processesOf(this.dir);
    for (const { pid } of found) if (isAlive(pid)) killQuietly(pid);
    return found.map(({ pid, command }) => `${pid} ${command}`);
  }

  /**
   * Runs the cleanups, then looks for what is left.
   *
   * @param failed keeps the folder, to be looked at
   * @throws AggregateError of what the cleanups threw, processes that survived, sockets that stayed
   */
  async close({ failed }: { failed: boolean }): Promise<void> {
    const problems: unknown[] = [];
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      try {
        await cleanup();
      } catch (error) {
        problems.push(error);
      }
    }
    problems.push(...(await this.#survivors()), ...this.#sockets());
    if (problems.length > 0) {
      const list = problems.map((problem) => (problem instanceof Error ? problem.message : String(problem)));
      throw new AggregateError(
        problems,
        `The test left a mess; its folder is kept: ${this.dir}\n${list.join("\n")}`,
      );
    }
    if (failed) process.stderr.write(`The failed test's folder is kept: ${this.dir}\n`);
    else this.discard();
  }

  /** Removes the folder. */
  discard(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #survivors(): Promise<Error[]> {
    const gone = waitFor(() => processesOf(this.dir).length === 0, {
      deadlineMs: GRACE_MS,
      what: "every process of the test to go",
    });
    return gone.then(
      () => [],
      () => this.killSurvivors().map((survivor) => new Error(`Process survived the test: ${survivor}`)),
    );
  }

  #sockets(): Error[] {
    return readdirSync(this.dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isSocket())
      .map((entry) => new Error(`Socket left behind: ${join(entry.parentPath, entry.name)}`));
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It went by itself since we looked.
  }
}
