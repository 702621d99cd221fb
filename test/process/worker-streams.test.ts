/** Large bodies pass through a worker in bounded memory, both ways at once, in every tier. */

import { Readable } from "node:stream";
import { expect, test } from "../support/test.ts";
import { Worker } from "../support/worker.ts";

const MEGABYTE = 1024 * 1024;
const SIZE = 256 * MEGABYTE;
/** Node itself takes 45 to 60 MB; a body that piled up would take four times as much. */
const MAX_PEAK_MB = 160;

const PEAK = `
  import { readFileSync } from "node:fs";
  const peak = () => /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "latin1"))[1];`;

const APPS = {
  "(req, res)": `${PEAK}
    import { pipeline } from "node:stream/promises";
    export default async (request, response) => {
      if (request.url === "/peak") response.end(peak());
      else await pipeline(request, response);
    };`,
  fetch: `${PEAK}
    export default {
      fetch: (request) => new Response(request.url.endsWith("/peak") ? peak() : request.body),
    };`,
  gateway: `${PEAK}
    export const gateway = async (request, response) => {
      if (request.url === "/peak") return response.send(200, {}, peak());
      response.head(200, {});
      for await (const chunk of request.body) await response.write(chunk);
      response.end();
    };`,
};

for (const protocol of ["fastcgi", "scgi"] as const) {
  for (const [tier, app] of Object.entries(APPS)) {
    test(`an echo of 256 MB over ${protocol} by a ${tier} handler`, async ({ sandbox }) => {
      const worker = await Worker.start(sandbox, sandbox.write("app.mjs", app), { protocol });
      await worker.ready();
      const response = await worker.clients[0]!.request({
        method: "POST",
        uri: "/echo",
        headers: ["content-length", String(SIZE)],
        body: Readable.from(megabytes(SIZE / MEGABYTE)),
      });
      let received = 0;
      for await (const chunk of response.body) received += (chunk as Buffer).length;
      expect([response.status, received]).toEqual([200, SIZE]);
      const [, peakKilobytes] = await worker.ask("/peak");
      expect(Number(peakKilobytes) / 1024).toBeLessThan(MAX_PEAK_MB);
    });
  }
}

function* megabytes(count: number): Generator<Buffer> {
  const chunk = Buffer.alloc(MEGABYTE, "x");
  for (let i = 0; i < count; i++) yield chunk;
}
