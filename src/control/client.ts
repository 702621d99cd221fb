/** Talks to a supervisor over its control socket, and turns each way that can fail into one sentence and one exit code (SPEC §3). */

import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { dirname } from "node:path";
import { livePid } from "./liveness.ts";
import type { Problem } from "./messages.ts";

/** What the command line exits with when no operation could even begin. */
export const EXIT = { failed: 1, noSupervisor: 3, notPermitted: 4, silent: 7 } as const;

/** A request that failed, on the way or at its end. The message is a sentence for people. */
export class ControlError extends Error {
  /** Stable, such as `GWPM_NO_SUPERVISOR`; from the problem document where there is one. */
  readonly code: string;
  /** SPEC §3. */
  readonly exitCode: number;
  readonly problem: Problem | null;

  constructor(
    code: string,
    exitCode: number,
    message: string,
    options: { problem?: Problem; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "ControlError";
    this.code = code;
    this.exitCode = exitCode;
    this.problem = options.problem ?? null;
  }
}

export interface ControlClientOptions {
  /** For the messages. @default the socket's folder */
  readonly runDir?: string;
  /** Tells a dead supervisor from a silent one. @default `<runDir>/gwpm.pid` */
  readonly pidFile?: string;
  /** How long the supervisor may take to answer, in milliseconds. @default 5000 */
  readonly answerTimeoutMs?: number;
}

/**
 * A client of one control socket. Every method rejects with a {@link ControlError}.
 *
 * @example
 * const status = await new ControlClient("/run/gwpm/control.sock").json<StatusDocument>("GET", "/v1/status");
 */
export class ControlClient {
  readonly socketPath: string;
  readonly runDir: string;
  readonly pidFile: string;
  readonly #answerTimeoutMs: number;

  constructor(socketPath: string, options: ControlClientOptions = {}) {
    this.socketPath = socketPath;
    this.runDir = options.runDir ?? dirname(socketPath);
    this.pidFile = options.pidFile ?? `${this.runDir}/gwpm.pid`;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? 5_000;
  }

  /** The supervisor's pid, if it lives; `null` when none does. */
  livePid(): number | null {
    return livePid(this.pidFile);
  }

  /** Sends a request that is answered at once, and reads the document. */
  async json<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    return (await this.#document(method, path, body, this.#answerTimeoutMs)) as T;
  }

  /** Sends a request whose answer may take minutes: the supervisor must be there at the start, and then has all its time. */
  async longJson<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
    await this.#reach();
    return (await this.#document(method, path, body, 0)) as T;
  }

  /**
   * Reads an NDJSON answer line by line, for as long as it lasts.
   *
   * @param signal ends the reading; the iteration then just stops
   */
  async *stream(path: string, signal?: AbortSignal): AsyncGenerator<string, void, undefined> {
    const isAborted = () => signal?.aborted === true;
    if (isAborted()) return;
    const response = await this.#send("GET", path, undefined, this.#answerTimeoutMs);
    if (response.statusCode !== 200) throw this.#failure(response.statusCode ?? 0, await readAll(response));
    const stop = () => response.destroy();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      if (isAborted()) return;
      yield* splitLines(response);
    } catch (error) {
      if (isAborted()) return;
      throw new ControlError("GWPM_CONNECTION_LOST", EXIT.noSupervisor, this.#wentAway(), { cause: error });
    } finally {
      signal?.removeEventListener("abort", stop);
      response.destroy();
    }
  }

  /** Any answer at all will do, also that all is not well. */
  async #reach(): Promise<void> {
    const response = await this.#send("GET", "/healthz", undefined, this.#answerTimeoutMs);
    await readAll(response).catch(() => {});
  }

  async #document(method: string, path: string, body: unknown, timeoutMs: number): Promise<unknown> {
    const response = await this.#send(method, path, body, timeoutMs);
    let text: string;
    try {
      text = await readAll(response);
    } catch (error) {
      throw new ControlError("GWPM_CONNECTION_LOST", EXIT.noSupervisor, this.#wentAway(), { cause: error });
    }
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw this.#failure(status, text);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#foreign(status, error);
    }
  }

  #send(method: string, path: string, body: unknown, timeoutMs: number): Promise<IncomingMessage> {
    const text = body === undefined ? "" : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request({
        socketPath: this.socketPath,
        method,
        path,
        agent: false,
        headers: {
          host: "gwpm",
          ...(text === ""
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
        },
      });
      const timer =
        timeoutMs > 0 ? setTimeout(() => this.#giveUp(outgoing, timeoutMs), timeoutMs) : undefined;
      outgoing.once("response", (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      // Stays attached: a late error of a connection that has served its purpose is no news.
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        reject(error instanceof ControlError ? error : this.#unreachable(error));
      });
      outgoing.end(text);
    });
  }

  #giveUp(outgoing: ClientRequest, timeoutMs: number): void {
    const pid = this.livePid();
    const who = pid === null ? "a supervisor" : `the supervisor (pid ${pid})`;
    outgoing.destroy(
      new ControlError(
        "GWPM_SILENT",
        EXIT.silent,
        `${who} is alive but did not answer on ${this.socketPath} within ${timeoutMs / 1000} s`,
      ),
    );
  }

  #unreachable(error: NodeJS.ErrnoException): ControlError {
    if (error.code === "EACCES" || error.code === "EPERM") {
      return new ControlError(
        "GWPM_NOT_PERMITTED",
        EXIT.notPermitted,
        `you may not use the control socket ${this.socketPath}; it takes the user that the supervisor runs as, or root`,
        { cause: error },
      );
    }
    const pid = this.livePid();
    if (pid !== null) {
      return new ControlError(
        "GWPM_SILENT",
        EXIT.silent,
        `the supervisor (pid ${pid}) is alive but does not answer on ${this.socketPath} (${error.code ?? error.message})`,
        { cause: error },
      );
    }
    const gone = error.code === "ENOENT" || error.code === "ECONNREFUSED" || error.code === "ENOTDIR";
    return new ControlError(
      gone ? "GWPM_NO_SUPERVISOR" : "GWPM_CONNECTION_LOST",
      EXIT.noSupervisor,
      gone ? `no supervisor runs for ${this.runDir}; start one with \`gwpm start\`` : this.#wentAway(),
      { cause: error },
    );
  }

  #wentAway(): string {
    return `the supervisor on ${this.socketPath} went away in the middle of its answer`;
  }

  #failure(status: number, text: string): ControlError {
    let problem: Partial<Problem>;
    try {
      problem = JSON.parse(text) as Partial<Problem>;
    } catch (error) {
      return this.#foreign(status, error);
    }
    if (typeof problem?.detail !== "string" || typeof problem.exitCode !== "number") {
      return this.#foreign(status, undefined);
    }
    return new ControlError(problem.code ?? "GWPM_FAILED", problem.exitCode || EXIT.failed, problem.detail, {
      problem: problem as Problem,
    });
  }

  #foreign(status: number, cause: unknown): ControlError {
    return new ControlError(
      "GWPM_FOREIGN_ANSWER",
      EXIT.failed,
      `what answers on ${this.socketPath} is not a gwpm supervisor (status ${status}, no JSON that it would send)`,
      { cause },
    );
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

async function* splitLines(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  response.setEncoding("utf8");
  let rest = "";
  for await (const chunk of response) {
    const lines = (rest + (chunk as string)).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
