/** One worker without a supervisor: the test holds its listening socket, its control channel and its output. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../../src/core/address.ts";
import { GatewayClient, type GatewayProtocol } from "../../src/gateway/client.ts";
import { closeListener, isServed, openListener } from "../../src/system/sockets.ts";
import type { Exit } from "./child.ts";
import { Lines } from "./lines.ts";
import { ROOT } from "./paths.ts";
import type { Sandbox } from "./sandbox.ts";
import { waitFor, within } from "./wait.ts";

export const WORKER_MAIN = join(ROOT, "dist", "src", "worker", "main.js");

export interface WorkerSetup {
  /** What is run, after `node`. @default the worker runtime with the script */
  readonly argv?: readonly string[];
  readonly protocol?: GatewayProtocol;
  /** How many sockets it gets. @default 1 */
  readonly sockets?: number;
  /** @default what the supervisor sets for fds and protocol */
  readonly env?: NodeJS.ProcessEnv;
  /** `false`: no control channel, as under spawn-fcgi. */
  readonly channel?: boolean;
}

const UNIX_SOCKET = { backlog: 511, mode: 0o600, owner: null, group: null } as const;
const FIRST_FURTHER_FD = 4;

export class Worker {
  readonly process: ChildProcess;
  readonly stdout: Lines;
  readonly stderr: Lines;
  readonly exited: Promise<Exit>;
  readonly clients: readonly GatewayClient[];
  /** What it has said on the channel. */
  readonly messages: unknown[] = [];

  readonly #addresses: readonly Address[];

  private constructor(child: ChildProcess, addresses: readonly Address[], protocol: GatewayProtocol) {
    this.process = child;
    this.#addresses = addresses;
    this.clients = addresses.map((address) => new GatewayClient({ address, protocol, keepAlive: true }));
    this.stdout = new Lines(child.stdout!);
    this.stderr = new Lines(child.stderr!);
    this.exited = once(child, "exit").then(([code, signal]) => ({ code, signal }));
    child.on("message", (message) => this.messages.push(message));
  }

  static async start(sandbox: Sandbox, script: string, setup: WorkerSetup = {}): Promise<Worker> {
    const { protocol = "fastcgi", sockets = 1, channel = true } = setup;
    const listeners = [];
    for (let i = 0; i < sockets; i++) {
      const path = sandbox.path(`w${i}.sock`);
      listeners.push(await openListener({ kind: "unix", path }, UNIX_SOCKET));
    }
    const [first, ...others] = listeners.map(({ fd }) => fd);
    const fds = [0, ...others.map((_, i) => FIRST_FURTHER_FD + i)];
    const env = setup.env ?? { GWPM_LISTEN_FDS: fds.join(","), GWPM_PROTOCOL: protocol };
    const child = spawn(process.execPath, setup.argv ?? [WORKER_MAIN, script, "one", "--two"], {
      cwd: sandbox.dir,
      env: sandbox.env(env),
      detached: true,
      stdio: [first, "pipe", "pipe", channel ? "ipc" : "ignore", ...others] as never,
    });
    for (const { fd } of listeners) closeListener(fd);
    const addresses = listeners.map(({ address }) => address);
    const worker = new Worker(child, addresses, protocol);
    sandbox.defer(() => worker.#stop());
    return worker;
  }

  /** Resolves with the first message that says so. */
  async ready(): Promise<void> {
    await this.said((message) => (message as { gwpm?: unknown }).gwpm === "ready");
  }

  async said(matches: (message: unknown) => boolean): Promise<unknown> {
    const heard = new Promise((resolve) => {
      const look = () => {
        const found = this.messages.find(matches);
        if (found !== undefined) resolve(found);
      };
      this.process.on("message", look);
      look();
    });
    const early = this.exited.then(({ code, signal }) => {
      throw new Error(`the worker ended first, with ${signal ?? code}`);
    });
    return within(Promise.race([heard, early]), { what: "a message of the worker" }, () => this.output());
  }

  /** @returns status and text of the answer */
  async ask(uri: string, options: { body?: Buffer; socket?: number } = {}): Promise<[number, string]> {
    const { body, socket = 0 } = options;
    const method = body === undefined ? "GET" : "POST";
    const response = await this.clients[socket]!.request({ method, uri, body, timeoutMs: 10_000 });
    let text = "";
    for await (const chunk of response.body.setEncoding("utf8")) text += chunk;
    return [response.status, text];
  }

  /** Resolves when it has stopped accepting connections. */
  async refuses(): Promise<void> {
    const [address] = this.#addresses;
    await waitFor(async () => !(await isServed(address!)), { what: "the worker to stop accepting" });
  }

  async end(): Promise<Exit> {
    return within(this.exited, { what: "the worker to end" }, () => this.output());
  }

  output(): string {
    return `--- stdout\n${this.stdout.text}--- stderr\n${this.stderr.text}`;
  }

  async #stop(): Promise<void> {
    for (const client of this.clients) client.close();
    this.process.kill("SIGKILL");
    await this.exited;
    for (const address of this.#addresses) if (address.kind === "unix") rmSync(address.path);
  }
}
