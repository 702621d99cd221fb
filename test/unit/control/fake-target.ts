/** A supervisor that only remembers what it was asked, behind a real control server on a real Unix socket. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlClient } from "../../../src/control/client.ts";
import type {
  LogLine,
  PoolStatus,
  ReloadVerdict,
  StatusDocument,
  UpgradeVerdict,
} from "../../../src/control/messages.ts";
import { type ControlServerOptions, createControlServer } from "../../../src/control/server.ts";
import { type ControlTarget, OperationError } from "../../../src/control/target.ts";
import type { JournalEntry } from "../../../src/core/events.ts";

/** No process has this pid: it is above the kernel's highest, 2^22. */
export const NOBODY = 2 ** 22 + 1;

export class FakeTarget implements ControlTarget {
  /** Every operation that was asked for, in order. */
  readonly calls: unknown[][] = [];
  readonly followers = new Set<(item: never) => void>();
  document: StatusDocument = statusOf([poolOf("web")]);
  unhealthy: string | undefined;
  past: JournalEntry[] = [];
  lines: LogLine[] = [];
  verdict: ReloadVerdict = { pools: [verdictOf("web", "ok")] };
  /** Rejects the next operation. */
  failure: Error | undefined;
  /** Operations wait for this. */
  gate: Promise<void> = Promise.resolve();

  async status(): Promise<StatusDocument> {
    if (this.failure !== undefined) throw this.failure;
    return this.document;
  }

  health(pool?: string): string | undefined {
    if (pool !== undefined) this.#find(pool);
    return this.unhealthy;
  }

  events(query: { since?: number; last?: number; follow?: (entry: JournalEntry) => void }) {
    const { follow, ...rest } = query;
    this.calls.push(["events", rest]);
    return { past: this.past, unfollow: this.#follow(follow) };
  }

  logs(query: { pools?: readonly string[]; last?: number; follow?: (line: LogLine) => void }) {
    const { follow, ...rest } = query;
    this.calls.push(["logs", rest]);
    for (const pool of query.pools ?? []) this.#find(pool);
    return { past: this.lines, unfollow: this.#follow(follow) };
  }

  async reload(options: { pools?: readonly string[]; changed?: boolean; accepted?: () => void }) {
    const { accepted, ...rest } = options;
    this.calls.push(["reload", rest]);
    if (this.failure !== undefined) throw this.failure;
    accepted?.();
    await this.gate;
    return this.verdict;
  }

  async restart(options: { pools?: readonly string[] }): Promise<ReloadVerdict> {
    await this.#operation("restart", options);
    return this.verdict;
  }

  async scale(pool: string, workers: number | string): Promise<{ from: number; to: number }> {
    this.#find(pool);
    await this.#operation("scale", pool, workers);
    return { from: 2, to: typeof workers === "number" ? workers : 2 + Number(workers) };
  }

  async recycle(pool: string, slot?: number) {
    this.#find(pool);
    await this.#operation("recycle", pool, slot);
    return { recycled: [{ slot: slot ?? 0, pid: 4242 }] };
  }

  async drain(pool: string): Promise<void> {
    this.#find(pool);
    await this.#operation("drain", pool);
  }

  async resume(pool: string): Promise<void> {
    this.#find(pool);
    await this.#operation("resume", pool);
  }

  async rollback(pool: string): Promise<ReloadVerdict> {
    this.#find(pool);
    await this.#operation("rollback", pool);
    return this.verdict;
  }

  async upgrade(program: { node?: string; main?: string }): Promise<UpgradeVerdict> {
    await this.#operation("upgrade", program);
    return { from: { pid: 1, version: "1.0.0" }, to: { pid: 2, version: "1.1.0" }, tookMs: 900 };
  }

  async stop(options: { fast: boolean }): Promise<void> {
    await this.#operation("stop", options);
  }

  /** Sends an event, or a line, to everyone who follows. */
  tell(item: JournalEntry | LogLine): void {
    for (const follower of this.followers) follower(item as never);
  }

  async #operation(...call: unknown[]): Promise<void> {
    this.calls.push(call);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
  }

  #follow(follower: ((item: never) => void) | undefined): () => void {
    if (follower === undefined) return () => {};
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  }

  #find(pool: string): void {
    if (this.document.pools.some(({ name }) => name === pool)) return;
    throw new OperationError("GWPM_NO_SUCH_POOL", `there is no pool "${pool}"`, { status: 404 });
  }
}

export interface Rig {
  readonly target: FakeTarget;
  readonly server: Server;
  readonly dir: string;
  readonly socketPath: string;
  readonly client: ControlClient;
  close(): Promise<void>;
}

/** A run dir of its own, with a listening control server in it. */
export async function startRig(options: ControlServerOptions = {}): Promise<Rig> {
  const dir = tempDir();
  const socketPath = join(dir, "control.sock");
  const target = new FakeTarget();
  const server = createControlServer(target, options);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    target,
    server,
    dir,
    socketPath,
    client: new ControlClient(socketPath, { runDir: dir }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export function tempDir(): string {
  return mkdtempSync(join(tmpdir(), "gwpm-control-"));
}

/** Makes the run dir say that a supervisor lives: this very process. */
export function pretendAlive(dir: string, pid: number = process.pid): void {
  writeFileSync(join(dir, "gwpm.pid"), `${pid}\n`);
}

export function statusOf(pools: readonly PoolStatus[]): StatusDocument {
  return {
    schemaVersion: 1,
    supervisor: {
      pid: NOBODY,
      version: "0.1.0",
      uptimeMs: 3_600_000,
      configFile: "/srv/app/ecosystem.json",
      state: "running",
      rssBytes: 54 * 1024 * 1024,
      cpuPercent: 0.3,
    },
    pools,
  };
}

export function poolOf(name: string, changes: Partial<PoolStatus> = {}): PoolStatus {
  return {
    name,
    protocol: "fastcgi",
    runtime: "script",
    listen: [`unix:/run/gwpm/${name}.sock`],
    http: null,
    mode: "static",
    state: "ok",
    reason: null,
    nextTryAt: null,
    generation: 1,
    probe: null,
    workers: {
      wanted: 2,
      total: 2,
      ready: 2,
      idle: 1,
      busy: 1,
      starting: 0,
      draining: 0,
      min: 2,
      max: 2,
    },
    requests: {
      total: 123_456,
      active: 1,
      perSecond: 12.34,
      failed: 0,
      slow: null,
      timedOut: null,
      latencyMs: { p50: 3, p95: 20, p99: null, max: 80 },
    },
    queue: { length: 0, max: 7, limit: 511 },
    restarts: { total: 1, crashed: 1, recycled: 0, reloaded: 0 },
    lastReload: { generation: 1, result: "ok", reason: null, at: "2026-01-31T08:00:00.000Z" },
    processes: [0, 1].map((slot) => ({
      slot,
      pid: 1000 + slot,
      generation: 1,
      state: slot === 0 ? "busy" : "ready",
      uptimeMs: 3_500_000,
      requests: 61_728,
      active: slot === 0 ? 1 : 0,
      rssBytes: 80 * 1024 * 1024,
      cpuPercent: 4.2,
      eventLoopUtilization: 0.12,
      current: slot === 0 ? [{ method: "GET", uri: "/slow?page=1", elapsedMs: 1200 }] : [],
      lastExit:
        slot === 0 ? null : { code: 1, signal: null, cause: "crashed", at: "2026-01-31T07:59:00.000Z" },
    })),
    ...changes,
  };
}

export function verdictOf(
  name: string,
  result: ReloadVerdict["pools"][number]["result"],
  changes: Partial<ReloadVerdict["pools"][number]> = {},
): ReloadVerdict["pools"][number] {
  return { name, generation: 2, result, reason: null, output: [], tookMs: 1234, ...changes };
}

export function eventOf(seq: number, changes: Record<string, unknown> = {}): JournalEntry {
  return {
    type: "pool-recovered",
    at: 1_700_000_000_000 + seq,
    pool: "web",
    seq,
    ...changes,
  } as JournalEntry;
}

export function lineOf(line: string, changes: Partial<LogLine> = {}): LogLine {
  return {
    at: "2026-01-31T08:00:00.000Z",
    pool: "web",
    slot: 0,
    pid: 1000,
    stream: "stdout",
    line,
    ...changes,
  };
}
