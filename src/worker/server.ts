/** What `serve()` needs of a server, whichever protocol it speaks. */

import { closeSync, openSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import type { IdlePolicy } from "../control/messages.ts";
import { type Address, formatAddress } from "../core/address.ts";

export type ListenTarget =
  | { readonly kind: "fd"; readonly fd: number; readonly backlog: number }
  | { readonly kind: "address"; readonly address: Address };

export interface WorkerServer {
  /** Whether it gives connections away, and adopts those of others. */
  readonly handsOver: boolean;
  /** Resolves once connections are accepted, with where: `fd 0`, or the address with its real port. May be called for several sockets. */
  listen(target: ListenTarget): Promise<string>;
  /** Accepts no more, and resolves when the last connection has ended. A second call can only change the policy into `close`. */
  drain(idle: IdlePolicy): Promise<void>;
  /** Ends whatever is left, answered or not. */
  destroy(): void;
}

/** Node listens once more on an inherited socket, which sets its backlog anew: hence the one it has is passed on. */
export function listen(server: Server, target: ListenTarget): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.removeListener("error", reject);
      resolve(listeningOn(server, target));
    });
    // Of a file descriptor, Node takes the backlog from the second argument only.
    if (target.kind === "fd") server.listen({ fd: target.fd }, target.backlog as never);
    else if (target.address.kind === "unix") server.listen({ path: target.address.path });
    else server.listen({ host: target.address.host, port: target.address.port });
  });
}

function listeningOn(server: Server, target: ListenTarget): string {
  if (target.kind === "fd") return `fd ${target.fd}`;
  const { address } = target;
  if (address.kind === "unix") return formatAddress(address);
  return formatAddress({ ...address, port: (server.address() as AddressInfo).port });
}

/** Stops accepting; resolves when the server's own connections have ended too. */
export function closed(server: Server, close: () => void): Promise<void> {
  return new Promise((resolve) => {
    if (!server.listening) return resolve();
    server.once("close", () => resolve());
    close();
  });
}

/**
 * libuv never closes the fds 0 to 2, not even those that it listened on: connections would go on being accepted by the kernel, for nobody.
 * To be called once the server on fd 0 is closed.
 */
export function releaseStdin(): void {
  closeSync(0);
  // Takes the lowest fd, 0: nothing that is opened later becomes stdin.
  openSync("/dev/null", "r");
}
