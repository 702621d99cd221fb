/** Makes one connection, under a deadline, and says in words why it could not. */

import { connect as netConnect, type Socket } from "node:net";
import { type Address, connectOptions, MAX_UNIX_PATH_BYTES } from "../core/address.ts";
import { connectError, GatewayError, timeoutError } from "./errors.ts";

/** Why there is no point in trying. Older libuv cuts a long path off and would connect to another socket. */
export function hopeless(address: Address): GatewayError | undefined {
  if (address.kind !== "unix" || Buffer.byteLength(address.path) <= MAX_UNIX_PATH_BYTES) return undefined;
  const what = `Cannot reach unix:${address.path}: the path is longer than ${MAX_UNIX_PATH_BYTES} bytes, the most a Unix socket can have`;
  return new GatewayError("GWPM_NO_SOCKET", address, what);
}

/**
 * @param limitMs `null` leaves it to the kernel
 * @param signal its reason is what the promise is rejected with
 * @throws GatewayError
 */
export function connect(address: Address, limitMs: number | null, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const reason = signal.aborted ? signal.reason : hopeless(address);
    if (reason !== undefined) return reject(reason);
    // A small request must not wait for the acknowledgement of the one before (Nagle). Unix sockets ignore it.
    const socket = netConnect({ ...connectOptions(address), noDelay: true });
    const timer =
      limitMs === null
        ? undefined
        : setTimeout(() => giveUp(timeoutError(address, "a connection", limitMs)), limitMs);
    const giveUp = (error: unknown): void => {
      settle();
      socket.on("error", () => {}); // Whatever comes now, the caller has been told already.
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => giveUp(signal.reason);
    const onError = (error: Error): void => giveUp(connectError(address, error));
    const onConnect = (): void => {
      settle();
      resolve(socket);
    };
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError).off("connect", onConnect);
    };
    signal.addEventListener("abort", onAbort);
    socket.once("error", onError).once("connect", onConnect);
  });
}
