/** Ports for programs that cannot be told to take any free one, and whether somebody listens. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";

const given = new Set<number>();

/**
 * A TCP port that was free a moment ago, and that this process gives out once. Prefer port 0 or a Unix socket where the program lets
 * you: between the answer and the program's own bind, somebody else may take it.
 */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

/** In the fourth column of /proc/net/unix: the socket accepts connections (__SO_ACCEPTCON in the kernel's net.h). */
const ACCEPTS = 0x10000;

/** Whether a Unix socket listens. Its file is there a moment earlier, and to connect would take a connection of a server that counts. */
export function listensAt(path: string): boolean {
  return readFileSync("/proc/net/unix", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .some((columns) => columns[7] === path && (Number.parseInt(columns[3]!, 16) & ACCEPTS) !== 0);
}
