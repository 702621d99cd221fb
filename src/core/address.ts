/** Addresses that a pool listens on: `unix:/path`, `127.0.0.1:9000`, `[::1]:9000`. */

export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly family: 4 | 6 };

/** The longest path that fits `sockaddr_un.sun_path` on Linux, its final NUL not counted (unix(7)). */
export const MAX_UNIX_PATH_BYTES = 107;

const IPV4 = /^(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const IPV6 = /^[0-9a-fA-F:]*:[0-9a-fA-F:.]*(?:%[\w.-]+)?$/;

/**
 * Reads an address as it is written in the config file and on the command line.
 *
 * @param text `unix:/path`, `/path`, `127.0.0.1:9000`, `localhost:9000`, `[::1]:9000` or `:9000` (every IPv4 address)
 * @throws RangeError that says what is wrong with the text and what would be right
 */
export function parseAddress(text: string): Address {
  if (text.startsWith("unix:") || text.startsWith("/")) {
    const path = text.startsWith("unix:") ? text.slice(5) : text;
    if (path === "") throw new RangeError('the address "unix:" has no path; write "unix:/run/app.sock"');
    if (path.includes("\0")) throw new RangeError("a socket path cannot contain a NUL byte");
    return { kind: "unix", path };
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null) {
    throw new RangeError(
      `"${text}" is not an address; write "unix:/run/app.sock", "127.0.0.1:9000" or "[::1]:9000"`,
    );
  }
  const port = Number(match[3]);
  if (port > 65_535) throw new RangeError(`port ${port} in "${text}" is above 65535`);
  if (match[1] !== undefined) {
    if (!IPV6.test(match[1])) throw new RangeError(`"${match[1]}" in "${text}" is not an IPv6 address`);
    return { kind: "tcp", host: match[1], port, family: 6 };
  }
  const host =
    match[2] === "" || match[2] === "*" ? "0.0.0.0" : match[2] === "localhost" ? "127.0.0.1" : match[2]!;
  if (!IPV4.test(host)) {
    throw new RangeError(`"${host}" in "${text}" is not an IPv4 address; host names are not looked up here`);
  }
  return { kind: "tcp", host, port, family: 4 };
}

/** The inverse of {@link parseAddress}. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return address.family === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** What `net.connect` takes to reach the address; a wildcard host is reached over loopback. */
export function connectOptions(address: Address): { path: string } | { host: string; port: number } {
  if (address.kind === "unix") return { path: address.path };
  const host = address.host === "0.0.0.0" ? "127.0.0.1" : address.host === "::" ? "::1" : address.host;
  return { host, port: address.port };
}
