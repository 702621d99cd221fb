/** Reload, recycle, scaling and crashes under load behind nginx: every request that it passes on gets exactly one answer. */

import { type Gwpm, startGwpm } from "../support/gwpm.ts";
import { httpSender, Ledger } from "../support/ledger.ts";
import { FASTCGI_PARAMS, PROXY_HEADERS, SCGI_PARAMS, startNginx } from "../support/nginx.ts";
import { app } from "../support/paths.ts";
import { requirePeer } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";

const WORKERS = 4;
const CLIENTS = 32;
const BODY_BYTES = 16_384;
/** How often each disruption is repeated, with load before, during and after it. */
const ROUNDS = 8;
/** Fewer than make a pool degraded. */
const KILLS = 3;
const ANSWERS_BETWEEN = 300;

/** How nginx reaches the pool. */
const LANES = {
  "fastcgi over unix, kept": { protocol: "fastcgi", over: "unix", kept: true },
  "fastcgi over tcp, kept": { protocol: "fastcgi", over: "tcp", kept: true },
  "fastcgi over unix": { protocol: "fastcgi", over: "unix", kept: false },
  "fastcgi over tcp": { protocol: "fastcgi", over: "tcp", kept: false },
  "scgi over unix": { protocol: "scgi", over: "unix", kept: false },
  "scgi over tcp": { protocol: "scgi", over: "tcp", kept: false },
  "http over unix, kept": { protocol: "http", over: "unix", kept: true },
  "http over tcp, kept": { protocol: "http", over: "tcp", kept: true },
} as const;
type Lane = keyof typeof LANES;

const KEPT: Lane = "fastcgi over unix, kept";

const NOTHING_LOST = { lost: [], mixedUp: [], miscounted: [] };

const nginxPeer = requirePeer("nginx");

describe.skipIf(nginxPeer.missing)(`behind nginx${nginxPeer.note}`, () => {
  test.for(Object.keys(LANES) as Lane[])("%s: no request is lost by reloads", async (lane, { sandbox }) => {
    const { gwpm, ledger } = await underLoad(sandbox, lane);
    await repeat(ledger, () => succeed(gwpm, "reload"));
    expect(await ledger.stop()).toMatchObject(NOTHING_LOST);
  });

  test("nor by recycling every worker", async ({ sandbox }) => {
    const { gwpm, ledger } = await underLoad(sandbox, KEPT);
    await repeat(ledger, () => succeed(gwpm, "recycle", "web"));
    expect(await ledger.stop()).toMatchObject(NOTHING_LOST);
  });

  test("nor by scaling up and down", async ({ sandbox }) => {
    const { gwpm, ledger } = await underLoad(sandbox, KEPT);
    await repeat(ledger, (round) => succeed(gwpm, "scale", "web", round % 2 === 0 ? "+2" : "-2"));
    expect(await ledger.stop()).toMatchObject(NOTHING_LOST);
  });

  test("a worker that has handed its connections over is gone long before its deadline", async ({
    sandbox,
  }) => {
    const { gwpm, ledger } = await underLoad(sandbox, KEPT);
    await ledger.answers(ANSWERS_BETWEEN);
    // Idle ones too: nginx keeps them for 60 s.
    await ledger.stop();
    const old = await gwpm.readyPids("web");
    const begun = performance.now();
    await succeed(gwpm, "reload");
    for (const pid of old)
      expect(await gwpm.events.waitFor({ type: "worker-exited", pid })).toMatchObject({ code: 0 });
    expect(performance.now() - begun, "the deadline is at 30 s").toBeLessThan(15_000);
  });

  test("workers killed in the middle of it lose only what was theirs", async ({ sandbox }) => {
    const { gwpm, ledger } = await underLoad(sandbox, KEPT);
    gwpm.expectErrors(/.*/);
    let killed = 0;
    await repeat(
      ledger,
      async () => {
        const mark = gwpm.events.mark;
        const reload = gwpm.run(["reload"]);
        // The first successor: connections are on their way to it.
        const { pid } = await gwpm.events.waitFor({ type: "worker-ready", pool: "web" }, { after: mark });
        await gwpm.events.waitFor({ type: "worker-draining", pool: "web" }, { after: mark });
        process.kill(pid, "SIGKILL");
        killed += 1;
        await reload;
      },
      KILLS,
    );
    const { lost, mixedUp } = await ledger.stop();
    expect(mixedUp).toEqual([]);
    // Each of the killed had no more connections than there are clients, and no connection more than one request.
    expect(lost.length).toBeLessThanOrEqual(killed * CLIENTS);
    expect(lost.filter((loss) => !/status 502/.test(loss))).toEqual([]);
  });
});

/** Load before, during and after each of so many rounds. */
async function repeat(
  ledger: Ledger,
  disrupt: (round: number) => Promise<void>,
  rounds = ROUNDS,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await ledger.answers(ANSWERS_BETWEEN);
    await disrupt(round);
  }
  await ledger.answers(ANSWERS_BETWEEN);
}

async function underLoad(sandbox: Sandbox, lane: Lane): Promise<{ gwpm: Gwpm; ledger: Ledger }> {
  const { protocol, over, kept } = LANES[lane];
  const address = over === "unix" ? `unix:${sandbox.path("web.sock")}` : `127.0.0.1:${await freePort()}`;
  const handledFile = sandbox.write("handled", "");
  const env = { LEDGER_FILE: handledFile };
  const pool = { name: "web", script: app("ledger.mjs"), protocol, listen: address, workers: WORKERS, env };
  const gwpm = await startGwpm(sandbox, { config: { pools: [pool] } });
  const nginx = await startNginx(sandbox, {
    http: `upstream pool { server ${address}; ${kept ? "keepalive 32;" : ""} }`,
    servers: { front: { server: location(protocol, kept) } },
  });
  const send = httpSender(nginx.at.front, { bodyBytes: BODY_BYTES });
  return { gwpm, ledger: new Ledger({ send, handledFile, clients: CLIENTS }) };
}

function location(protocol: "fastcgi" | "scgi" | "http", kept: boolean): string {
  switch (protocol) {
    case "fastcgi":
      return `location / {\n${FASTCGI_PARAMS}\n${kept ? "fastcgi_keep_conn on;" : ""} fastcgi_pass pool; }`;
    case "scgi":
      return `location / {\n${SCGI_PARAMS}\nscgi_pass pool; }`;
    case "http":
      return `location / {\n${PROXY_HEADERS}\nproxy_pass http://pool; }`;
  }
}

async function succeed(gwpm: Gwpm, ...args: string[]): Promise<void> {
  expect(await gwpm.run(args)).toMatchObject({ code: 0 });
}
