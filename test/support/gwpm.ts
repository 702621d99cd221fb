/** The real command and the real supervisor, as users run them, in a test's sandbox. */

import { existsSync, readFileSync } from "node:fs";
import { get } from "node:http";
import type { PoolStatus, StatusDocument } from "../../src/control/messages.ts";
import type { Child, Exit } from "./child.ts";
import { EventFeed } from "./events.ts";
import { GWPM_BIN } from "./paths.ts";
import { isAlive } from "./processes.ts";
import type { Sandbox } from "./sandbox.ts";
import { waitFor } from "./wait.ts";

export interface RunResult extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly deadlineMs?: number;
}

/** Starts `gwpm …` and leaves it running: for verbs that follow, and for `--foreground`. */
export async function spawnGwpm(
  sandbox: Sandbox,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Child> {
  if (!existsSync(GWPM_BIN)) throw new Error(`${GWPM_BIN} is missing; run "npm run build" first`);
  const { env, cwd, input } = options;
  return sandbox.start([process.execPath, GWPM_BIN, ...args], {
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? {} : { input }),
  });
}

/** Runs `gwpm …` to its end. A code other than 0 is a result, not an error. */
export async function runGwpm(
  sandbox: Sandbox,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const child = await spawnGwpm(sandbox, args, options);
  const exit = await child.wait(options.deadlineMs);
  return { ...exit, stdout: child.stdout.text, stderr: child.stderr.text };
}

export interface StartOptions {
  /** The ecosystem file's content; `log` is filled in so that the test can read it. */
  readonly config: { readonly pools: readonly object[]; readonly [key: string]: unknown };
  /** For `gwpm start`, after its own. */
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Messages of level error that this test provokes; any other fails it at the end. */
  readonly expectErrors?: readonly RegExp[];
}

/**
 * Writes `ecosystem.json` and runs `gwpm start`, which returns when every pool is ready. When the test ends, the supervisor is stopped by
 * `gwpm stop` and its log is read for errors that the test did not announce.
 *
 * @throws Error with the command's output when `start` fails
 */
export async function startGwpm(sandbox: Sandbox, options: StartOptions): Promise<Gwpm> {
  const logFile = sandbox.path("gwpm.log");
  const config = { log: { file: logFile, level: "debug", format: "json" }, ...options.config };
  const configFile = sandbox.write("ecosystem.json", config);
  const env = options.env ?? {};
  const args = ["start", "-c", configFile, ...(options.args ?? [])];
  const result = await runGwpm(sandbox, args, { env, deadlineMs: 90_000 });
  if (result.code !== 0) {
    throw new Error(
      `gwpm start ended with ${result.code ?? result.signal}\n${result.stdout}${result.stderr}`,
    );
  }
  const gwpm = await Gwpm.connect(sandbox, { configFile, logFile, env });
  gwpm.expectErrors(...(options.expectErrors ?? []));
  sandbox.defer(() => gwpm.dispose());
  return gwpm;
}

interface Origin {
  readonly configFile: string;
  readonly logFile: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A running supervisor. */
export class Gwpm {
  readonly pid: number;
  readonly configFile: string;
  readonly logFile: string;
  readonly controlSocket: string;
  /** The journal as it grows. */
  readonly events: EventFeed;
  readonly #sandbox: Sandbox;
  readonly #env: NodeJS.ProcessEnv;
  readonly #expectedErrors: RegExp[] = [];

  private constructor(sandbox: Sandbox, origin: Origin, pid: number, events: EventFeed) {
    this.#sandbox = sandbox;
    this.configFile = origin.configFile;
    this.logFile = origin.logFile;
    this.#env = origin.env;
    this.controlSocket = controlSocketOf(sandbox);
    this.pid = pid;
    this.events = events;
  }

  static async connect(sandbox: Sandbox, origin: Origin): Promise<Gwpm> {
    const document = await getStatus(controlSocketOf(sandbox));
    const events = await EventFeed.open(controlSocketOf(sandbox));
    return new Gwpm(sandbox, origin, document.supervisor.pid, events);
  }

  /** Runs a verb against this supervisor. */
  run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runGwpm(this.#sandbox, [...args, "-c", this.configFile], {
      ...options,
      env: { ...this.#env, ...options.env },
    });
  }

  status(): Promise<StatusDocument> {
    return getStatus(this.controlSocket);
  }

  async pool(name: string): Promise<PoolStatus> {
    const found = (await this.status()).pools.find((pool) => pool.name === name);
    if (found === undefined) throw new Error(`The status has no pool "${name}"`);
    return found;
  }

  /** The pids of a pool's workers that are ready or busy, by slot. */
  async readyPids(name: string): Promise<number[]> {
    const { processes } = await this.pool(name);
    return processes
      .filter(({ state, pid }) => pid !== null && (state === "ready" || state === "busy"))
      .sort((a, b) => a.slot - b.slot)
      .map(({ pid }) => pid!);
  }

  get running(): boolean {
    return isAlive(this.pid);
  }

  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "";
  }

  /** Announces messages of level error that the test provokes from here on. */
  expectErrors(...patterns: RegExp[]): void {
    this.#expectedErrors.push(...patterns);
  }

  /** `gwpm stop`; @throws Error when it does not end with 0 and the supervisor gone */
  async stop(args: readonly string[] = []): Promise<RunResult> {
    const result = await this.run(["stop", ...args], { deadlineMs: 60_000 });
    if (result.code !== 0) throw new Error(`gwpm stop ended with ${result.code}\n${result.stderr}`);
    await this.gone();
    return result;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  async gone(): Promise<void> {
    await waitFor(() => !this.running, { what: `supervisor ${this.pid} to be gone` });
  }

  /** SIGKILL, as the out-of-memory killer would; its workers and sockets stay. */
  async crash(): Promise<void> {
    this.signal("SIGKILL");
    await this.gone();
  }

  /** What the sandbox runs at the end. */
  async dispose(): Promise<void> {
    try {
      if (this.running) await this.stop();
    } catch (error) {
      if (this.running) this.signal("SIGKILL");
      throw error;
    } finally {
      this.events.close();
    }
    const unexpected = errorsIn(this.log()).filter(
      (line) => !this.#expectedErrors.some((pattern) => pattern.test(line)),
    );
    if (unexpected.length > 0) {
      throw new Error(`Unexpected errors in the supervisor's log:\n${unexpected.join("\n")}`);
    }
  }
}

/** The level from which pino's numbers mean an error. */
const PINO_ERROR = 50;

/** Lines of level error and above; a line that is not JSON is a crash's stack trace, so it counts too. */
function errorsIn(log: string): string[] {
  return log.split("\n").filter((line) => {
    if (line === "") return false;
    try {
      return (JSON.parse(line) as { level?: number }).level! >= PINO_ERROR;
    } catch {
      return true;
    }
  });
}

function controlSocketOf(sandbox: Sandbox): string {
  return sandbox.path("run", "control.sock");
}

function getStatus(socketPath: string): Promise<StatusDocument> {
  return new Promise((resolve, reject) => {
    // No kept connection: it would be one to the supervisor before, where that has been upgraded.
    const options = { socketPath, path: "/v1/status", headers: { host: "gwpm" }, agent: false } as const;
    const request = get(options, async (response) => {
      try {
        let text = "";
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
        if (response.statusCode === 200) resolve(JSON.parse(text) as StatusDocument);
        else reject(new Error(`GET /v1/status was answered with ${response.statusCode}: ${text}`));
      } catch (error) {
        reject(error);
      }
    });
    request.once("error", reject);
  });
}
