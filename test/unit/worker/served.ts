/** Serves handlers in this process, over a real socket of its own, and asks them things as a front end would. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { GatewayClient, type GatewayRequest } from "../../../src/gateway/client.ts";
import { DEFAULT_OPTIONS, type Protocol } from "../../../src/worker/environment.ts";
import { handlersOfModule } from "../../../src/worker/handlers.ts";
import type { WorkerServer } from "../../../src/worker/server.ts";
import { createWorkerServer } from "../../../src/worker/servers.ts";

export const PROTOCOLS = ["fastcgi", "scgi", "http"] as const satisfies readonly Protocol[];

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string[]>;
  readonly text: string;
}

export class Served {
  readonly path: string;
  readonly server: WorkerServer;
  readonly client: GatewayClient;
  readonly #folder: string;

  private constructor(folder: string, protocol: Protocol, server: WorkerServer) {
    this.#folder = folder;
    this.path = join(folder, "s");
    this.server = server;
    this.client = new GatewayClient({
      address: { kind: "unix", path: this.path },
      protocol,
      keepAlive: true,
    });
  }

  /** @param exported what the app's module exports */
  static async start(protocol: Protocol, exported: Record<string, unknown>, basePath = ""): Promise<Served> {
    const handlers = await handlersOfModule(exported);
    if (handlers === undefined) throw new Error("the test's app exports no handler");
    const options = { ...DEFAULT_OPTIONS, wire: { ...DEFAULT_OPTIONS.wire, basePath } };
    const environment = {
      kind: "alone",
      listenFds: [],
      protocol,
      allowedClients: undefined,
      scoreboardFd: undefined,
      options,
    } as const;
    const server = await createWorkerServer(protocol, handlers, environment, undefined);
    const served = new Served(mkdtempSync(join(tmpdir(), "gwpm-served-")), protocol, server);
    await server.listen({ kind: "address", address: { kind: "unix", path: served.path } });
    return served;
  }

  async ask(request: GatewayRequest): Promise<Answer> {
    const response = await this.client.request({ timeoutMs: 10_000, ...request });
    const headers: Record<string, string[]> = {};
    for (let i = 0; i < response.headers.length; i += 2) {
      const name = response.headers[i]!.toLowerCase();
      headers[name] = [...(headers[name] ?? []), response.headers[i + 1]!];
    }
    return { status: response.status, headers, text: await text(response.body) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.server.destroy();
    await this.server.drain("close");
    rmSync(this.#folder, { recursive: true });
  }
}

async function text(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
