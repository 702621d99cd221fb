/** What is compared: hello world behind the same nginx over kept connections, two workers each. */

import { join } from "node:path";
import { startGwpm } from "../support/gwpm.ts";
import { FASTCGI_PARAMS, type Nginx, type NginxServer, PROXY_HEADERS, startNginx } from "../support/nginx.ts";
import { ROOT } from "../support/paths.ts";
import { childrenOf } from "../support/processes.ts";
import type { Sandbox } from "../support/sandbox.ts";

export interface Lane {
  readonly name: string;
  /** The least that its rate may be, as a multiple of the first lane's; `null` where it is only shown. */
  readonly floor: number | null;
}

/** The yardstick first. */
export const LANES = {
  "node-http": { name: "node:http, proxy_pass", floor: null },
  "req-res": { name: "gwpm (req, res), fastcgi_pass", floor: 0.95 },
  gateway: { name: "gwpm gateway, fastcgi_pass", floor: 1.2 },
} as const satisfies Record<string, Lane>;

export type LaneId = keyof typeof LANES;

const WORKERS = 2;

const program = (file: string): string => join(ROOT, "test", "fixtures", "bench", file);

export interface Lanes {
  readonly at: Nginx<LaneId>["at"];
  /** The processes that serve each lane. */
  readonly workers: Readonly<Record<LaneId, readonly number[]>>;
}

export async function startLanes(sandbox: Sandbox): Promise<Lanes> {
  const socket = (name: string): string => sandbox.path(`${name}.sock`);
  const yardstick = await sandbox.start([
    process.execPath,
    program("node-http-cluster.mjs"),
    socket("node-http"),
    String(WORKERS),
  ]);
  await yardstick.stdout.waitFor(/^listening$/, { what: "node:http to listen" });
  const pool = (name: string, script: string): object => ({
    name,
    script: program(script),
    workers: WORKERS,
    listen: `unix:${socket(name)}`,
  });
  const gwpm = await startGwpm(sandbox, {
    config: { pools: [pool("req-res", "hello.mjs"), pool("gateway", "hello-gateway.mjs")] },
  });
  const { at } = await startNginx(sandbox, {
    http: Object.keys(LANES)
      .map((id) => upstream(id, socket(id)))
      .join("\n"),
    servers: { "node-http": proxy("node-http"), "req-res": fastcgi("req-res"), gateway: fastcgi("gateway") },
  });
  const workers = {
    "node-http": childrenOf(yardstick.pid),
    "req-res": await gwpm.readyPids("req-res"),
    gateway: await gwpm.readyPids("gateway"),
  };
  return { at, workers };
}

function upstream(name: string, socket: string): string {
  return `upstream ${name} { server unix:${socket}; keepalive 64; keepalive_requests 1000000; }`;
}

function proxy(to: string): NginxServer {
  return { tcp: true, server: `location / { ${PROXY_HEADERS} proxy_pass http://${to}; }` };
}

function fastcgi(to: string): NginxServer {
  return {
    tcp: true,
    server: `location / {\n${FASTCGI_PARAMS}\n fastcgi_keep_conn on; fastcgi_pass ${to}; }`,
  };
}
