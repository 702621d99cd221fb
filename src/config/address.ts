/** The kind of an address that a pool listens on. */

import { isIPv6, SocketAddress } from "node:net";
import { resolve } from "node:path";
import { type Address, MAX_UNIX_PATH_BYTES, parseAddress } from "../core/address.ts";
import { type Context, type Kind, scalar } from "./kind.ts";
import { OFF } from "./kinds.ts";
import { show } from "./units.ts";

const ADDRESS_SCHEMA = { type: "string", examples: ["unix:/run/app.sock", "127.0.0.1:9000", "[::1]:9000"] };

/** Unix paths are made absolute, IPv6 addresses get their one shortest form. */
export function address(): Kind<Address> {
  return scalar({ label: "address", schema: ADDRESS_SCHEMA, parse: readAddress });
}

/** An address, or `null` when it is off. */
export function addressOrOff(): Kind<Address | null> {
  return scalar({
    label: "address, or `false`",
    schema: { anyOf: [ADDRESS_SCHEMA, { enum: OFF }] },
    parse: (value, context) => (OFF.includes(value) ? null : readAddress(value, context)),
  });
}

function readAddress(value: unknown, context: Context): Address {
  if (typeof value !== "string") {
    throw new RangeError(
      `must be an address such as "unix:/run/app.sock" or "127.0.0.1:9000", not ${show(value)}`,
    );
  }
  const parsed = parseAddress(value);
  if (parsed.kind === "unix") {
    const path = resolve(context.folder, parsed.path);
    requireShortPath(path, "the socket path");
    return { kind: "unix", path };
  }
  return parsed.family === 6 ? { ...parsed, host: shortestIPv6(parsed.host) } : parsed;
}

/** @throws RangeError when the path does not fit into a socket address (unix(7)) */
export function requireShortPath(path: string, what: string): void {
  const length = Buffer.byteLength(path);
  if (length <= MAX_UNIX_PATH_BYTES) return;
  throw new RangeError(
    `${what} ${path} is ${length} bytes long, and the system takes ${MAX_UNIX_PATH_BYTES}; choose a shorter one`,
  );
}

function shortestIPv6(host: string): string {
  if (!isIPv6(host)) throw new RangeError(`"${host}" is not an IPv6 address`);
  const zone = host.includes("%") ? host.slice(host.indexOf("%")) : "";
  const plain = host.slice(0, host.length - zone.length);
  return new SocketAddress({ address: plain, family: "ipv6" }).address + zone;
}
