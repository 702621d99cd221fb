/** Load on one address for a while: wrk, or a small client of our own where wrk is not installed. */

import { connect } from "node:net";
import { findPeer } from "../support/peers.ts";
import type { Sandbox } from "../support/sandbox.ts";

export interface Load {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

/** @returns requests per second; @throws Error when any request was not answered with a 2xx */
export async function generateLoad(sandbox: Sandbox, load: Load): Promise<number> {
  const wrk = findPeer("wrk");
  return wrk === undefined ? ownLoad(load) : wrkLoad(sandbox, wrk, load);
}

async function wrkLoad(sandbox: Sandbox, wrk: string, load: Load): Promise<number> {
  const { host, port, connections, seconds } = load;
  const child = await sandbox.start([
    ...[wrk, "-t1", `-c${connections}`, `-d${seconds}s`, `http://${host}:${port}/`],
  ] as [string, ...string[]]);
  const exit = await child.wait(seconds * 1_000 + 15_000);
  const report = child.stdout.text;
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(report)?.[1];
  if (exit.code !== 0 || rate === undefined) throw new Error(`wrk failed\n${child.output()}`);
  if (/Non-2xx|Socket errors/.test(report)) throw new Error(`Some requests failed\n${report}`);
  return Number(rate);
}

/** Enough to see a trend: it takes a good part of a core itself, so the ratios are flatter than wrk's. */
async function ownLoad({ host, port, connections, seconds }: Load): Promise<number> {
  const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const end = performance.now() + seconds * 1_000;
  let answered = 0;
  const client = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true }, () => socket.write(request));
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("nginx closed the connection")));
      let received = "";
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
        if (!received.startsWith("HTTP/1.1 200")) reject(new Error(`Not answered with 200: ${received}`));
        if (!received.endsWith("Hello World")) return;
        received = "";
        answered++;
        if (performance.now() < end) socket.write(request);
        else {
          resolve();
          socket.destroy();
        }
      });
    });
  const start = performance.now();
  await Promise.all(Array.from({ length: connections }, client));
  return answered / ((performance.now() - start) / 1_000);
}
