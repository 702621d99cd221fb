/** A socket that is served by nobody and has no room for one more connection. */

import { rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type Address, connectOptions } from "../../../src/core/address.ts";
import { closeListener, openListener } from "../../../src/system/sockets.ts";
import type { Sandbox } from "../../support/sandbox.ts";

/** @returns where it listens and never accepts, its queue full. */
export async function fullQueue(sandbox: Sandbox, wanted: Address): Promise<Address> {
  const { fd, address } = await openListener(wanted, { backlog: 0 });
  const waiting: Socket[] = [];
  sandbox.defer(async () => {
    for (const socket of waiting) socket.destroy();
    closeListener(fd);
    if (address.kind === "unix") rmSync(address.path, { force: true });
  });
  // A backlog of 0 lets one connection wait, and on some kernels two.
  for (let i = 0; i < 4; i++) {
    const socket = connect(connectOptions(address));
    waiting.push(socket);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      setTimeout(() => resolve(false), 100);
    });
    if (!connected) break;
  }
  return address;
}
