/** Ports for programs that cannot be told to take any free one. */

import { once } from "node:events";
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
