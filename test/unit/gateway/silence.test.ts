/** The watch over silences. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { Silence } from "../../../src/gateway/silence.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("speaks up again and again, until it is stopped", async () => {
  let count = 0;
  await new Promise<void>((resolve) => {
    const silence = new Silence(5, () => {
      if (++count < 3) return;
      silence.stop();
      resolve();
    });
  });
  await pause(20);
  expect(count).toBe(3);
});

test("without a limit it never does", async () => {
  let count = 0;
  const silence = new Silence(null, () => count++);
  silence.touch();
  await pause(10);
  silence.stop();
  expect(count).toBe(0);
});

test("a process that was held up hears first what has arrived meanwhile", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [far] = (await once(server, "connection")) as [Socket];
  let count = 0;
  const silence = new Silence(20, () => count++);
  const touched = new Promise<void>((resolve) => {
    near.on("data", () => {
      silence.touch();
      resolve();
    });
  });
  far.write("x");
  block(40); // Now both are due: the timer, and the byte that waits in the kernel.
  await touched;
  await new Promise(setImmediate);
  silence.stop();
  expect(count).toBe(0);
  near.destroy();
  far.destroy();
  server.close();
});
