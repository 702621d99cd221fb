/** Listening sockets as plain fd numbers: nothing here polls or accepts, so the supervisor can own them and steal no connection. */

import * as fs from "node:fs";
import * as net from "node:net";
import { dirname } from "node:path";
import { type Address, formatAddress, MAX_UNIX_PATH_BYTES } from "../core/address.ts";
import { codeOf, SystemError } from "./errno.ts";
import { C, libc, onMac } from "./libc.ts";

/** A failure to open a listening socket, told so that the reader knows what to do. */
export class ListenError extends Error {
  /** `GWPM_ADDRESS_IN_USE`, `GWPM_NOT_A_SOCKET`, `GWPM_PATH_TOO_LONG`, `GWPM_NO_SUCH_FOLDER` or the system's own code. */
  readonly code: string;
  readonly address: string;

  constructor(code: string, address: Address, message: string, cause?: unknown) {
    super(`Cannot listen on ${formatAddress(address)}: ${message}`, { cause });
    this.name = "ListenError";
    this.code = code;
    this.address = formatAddress(address);
  }
}

export interface SocketOptions {
  readonly backlog: number;
  /** Permission bits, owner and group of a Unix socket. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Replace a Unix socket although somebody serves it: for the sockets of our own orphans. */
  readonly replaceLive?: boolean;
}

/**
 * Opens a listening socket.
 *
 * A Unix socket is bound to a temporary name, given its owner and mode, set to listen, and only then renamed over the
 * path, so that no front end ever finds the path missing or not yet listening. A socket file that nobody serves is
 * replaced; a live one is an error.
 *
 * @returns the fd (close-on-exec) and the address as it came out, with the real port where port 0 was asked for
 * @throws ListenError
 */
export async function openListener(
  address: Address,
  options: SocketOptions,
): Promise<{ fd: number; address: Address }> {
  if (address.kind === "unix") {
    await assertReplaceable(address, options.replaceLive ?? false);
    return { fd: listenUnix(address, options), address };
  }
  return listenTcp(address, options);
}

/** Closes an fd that {@link openListener} or `takeListener` gave. */
export function closeListener(fd: number): void {
  fs.closeSync(fd);
}

const F_SETFL = 4;

/**
 * Has accept(2) never wait on the socket, for all who share it. Node sets a child's stdin to wait before it runs the program,
 * and the flag is the socket's, not the fd's: a worker that finds the connection gone that woke it would then hang in accept.
 */
export function neverWait(fd: number): void {
  libc("fcntl", "Cannot set a socket to non-blocking", fd, F_SETFL, "int", C.O_NONBLOCK);
}

/** Applies a new backlog, mode and owner to a socket that is already open. */
export function adjustListener(fd: number, address: Address, options: SocketOptions): void {
  libc("listen", `Cannot change the backlog of ${formatAddress(address)}`, fd, options.backlog);
  if (address.kind === "unix") setPermissions(address.path, options);
}

/** @returns whether somebody accepts connections at the address */
export function isServed(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const target =
      address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
    const socket = net.connect(target);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // EAGAIN: the accept queue is full, so somebody owns it (unix(7)).
    socket.once("error", (error) => resolve(codeOf(error) === "EAGAIN"));
  });
}

/** The address that a listening socket is bound to; `undefined` where the fd is no listening socket. A Unix path is the one it was bound to, before its renaming. */
export function boundAddress(fd: number): Address | undefined {
  const accepting = Buffer.alloc(4);
  const raw = Buffer.alloc(128);
  try {
    libc("getsockopt", "Cannot inspect a socket", fd, C.SOL_SOCKET, C.SO_ACCEPTCONN, accepting, uint32(4));
    if (accepting.readInt32LE(0) === 0) return undefined;
    libc("getsockname", "Cannot inspect a socket", fd, raw, uint32(raw.length));
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
  return decodeSockaddr(raw);
}

async function assertReplaceable(address: Address & { kind: "unix" }, replaceLive: boolean): Promise<void> {
  let stats: fs.Stats;
  try {
    stats = fs.lstatSync(address.path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw listenError(address, error);
  }
  if (!stats.isSocket()) {
    throw new ListenError(
      "GWPM_NOT_A_SOCKET",
      address,
      "the path exists and is not a socket; remove it or choose another path",
    );
  }
  if (!replaceLive && (await isServed(address))) {
    throw new ListenError(
      "GWPM_ADDRESS_IN_USE",
      address,
      "another process serves this socket; stop it or choose another path",
    );
  }
}

function listenUnix(address: Address & { kind: "unix" }, options: SocketOptions): number {
  const bytes = Buffer.byteLength(address.path);
  if (bytes > MAX_UNIX_PATH_BYTES) {
    throw new ListenError(
      "GWPM_PATH_TOO_LONG",
      address,
      `the path has ${bytes} bytes and the system allows ${MAX_UNIX_PATH_BYTES}; choose a shorter one`,
    );
  }
  const temporary = temporaryName(address.path);
  fs.rmSync(temporary, { force: true });
  const fd = libc("socket", "Cannot create a socket", C.AF_UNIX, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0);
  try {
    const encoded = encodeSockaddr({ kind: "unix", path: temporary });
    // Until the mode is set, nobody but us may connect.
    const umask = process.umask(0o177);
    try {
      libc("bind", "bind", fd, encoded, encoded.length);
    } finally {
      process.umask(umask);
    }
    setPermissions(temporary, options);
    libc("listen", "listen", fd, options.backlog);
    fs.renameSync(temporary, address.path);
    return fd;
  } catch (error) {
    fs.closeSync(fd);
    fs.rmSync(temporary, { force: true });
    throw listenError(address, error);
  }
}

function listenTcp(
  address: Address & { kind: "tcp" },
  options: SocketOptions,
): { fd: number; address: Address } {
  const family = address.family === 6 ? C.AF_INET6 : C.AF_INET;
  const fd = libc("socket", "Cannot create a socket", family, C.SOCK_STREAM | C.SOCK_CLOEXEC, 0);
  try {
    // Connections of an earlier run in TIME_WAIT must not keep us from binding.
    libc("setsockopt", "setsockopt", fd, C.SOL_SOCKET, C.SO_REUSEADDR, uint32(1), 4);
    const encoded = encodeSockaddr(address);
    libc("bind", "bind", fd, encoded, encoded.length);
    libc("listen", "listen", fd, options.backlog);
    return { fd, address: boundAddress(fd) ?? address };
  } catch (error) {
    fs.closeSync(fd);
    throw listenError(address, error);
  }
}

function setPermissions(path: string, options: SocketOptions): void {
  if (options.uid !== undefined || options.gid !== undefined) {
    const now = fs.lstatSync(path);
    fs.chownSync(path, options.uid ?? now.uid, options.gid ?? now.gid);
  }
  if (options.mode !== undefined) fs.chmodSync(path, options.mode);
}

/** A name beside the path that is no longer than it, for `sun_path` has room for no more. */
function temporaryName(path: string): string {
  return path.slice(0, -1) + (path.endsWith("~") ? "+" : "~");
}

function listenError(address: Address, error: unknown): ListenError {
  const code = codeOf(error);
  const syscall = (error as { syscall?: string }).syscall;
  switch (code) {
    case "EADDRINUSE":
      return new ListenError(
        "GWPM_ADDRESS_IN_USE",
        address,
        "another process listens there; stop it or choose another port",
        error,
      );
    case "EADDRNOTAVAIL":
      return new ListenError(code, address, "no network interface of this machine has that address", error);
    case "ENOENT":
      return new ListenError(
        "GWPM_NO_SUCH_FOLDER",
        address,
        `the folder ${folder(address)} does not exist; create it first`,
        error,
      );
    case "ENOTDIR":
      return new ListenError(code, address, `${folder(address)} is not a folder`, error);
    case "EACCES":
      return new ListenError(
        code,
        address,
        address.kind === "tcp"
          ? `ports below 1024 need root or CAP_NET_BIND_SERVICE, and this is user ${process.getuid?.()}`
          : `user ${process.getuid?.()} may not write in ${folder(address)}`,
        error,
      );
    case "EPERM":
      return new ListenError(
        code,
        address,
        `user ${process.getuid?.()} may not ${syscall ?? "do this"}; giving a socket to another owner needs root`,
        error,
      );
    default:
      return new ListenError(
        code ?? "GWPM_LISTEN_FAILED",
        address,
        error instanceof Error ? error.message : String(error),
        error,
      );
  }
}

function folder(address: Address): string {
  return address.kind === "unix" ? dirname(address.path) : "";
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

/** `struct sockaddr_un`, `sockaddr_in` and `sockaddr_in6`; BSD has a length byte where Linux has the family's low byte. */
function encodeSockaddr(address: Address): Buffer {
  if (address.kind === "unix") {
    const path = Buffer.from(`${address.path}\0`);
    return withFamily(Buffer.concat([Buffer.alloc(2), path]), C.AF_UNIX);
  }
  if (address.family === 4) {
    const buffer = Buffer.alloc(16);
    buffer.writeUInt16BE(address.port, 2);
    Buffer.from(address.host.split(".").map(Number)).copy(buffer, 4);
    return withFamily(buffer, C.AF_INET);
  }
  const buffer = Buffer.alloc(28);
  buffer.writeUInt16BE(address.port, 2);
  ipv6Bytes(address.host).copy(buffer, 8);
  return withFamily(buffer, C.AF_INET6);
}

function withFamily(buffer: Buffer, family: number): Buffer {
  if (onMac) {
    buffer[0] = buffer.length;
    buffer[1] = family;
  } else {
    buffer.writeUInt16LE(family, 0);
  }
  return buffer;
}

function decodeSockaddr(raw: Buffer): Address | undefined {
  const family = onMac ? raw[1] : raw.readUInt16LE(0);
  if (family === C.AF_UNIX) {
    const end = raw.indexOf(0, 2);
    return { kind: "unix", path: raw.toString("utf8", 2, end === -1 ? raw.length : end) };
  }
  if (family === C.AF_INET)
    return { kind: "tcp", family: 4, host: raw.subarray(4, 8).join("."), port: raw.readUInt16BE(2) };
  if (family === C.AF_INET6) {
    const groups = Array.from({ length: 8 }, (_, i) => raw.readUInt16BE(8 + 2 * i).toString(16));
    const host = new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
    return { kind: "tcp", family: 6, host, port: raw.readUInt16BE(2) };
  }
  return undefined;
}

function ipv6Bytes(host: string): Buffer {
  // The URL parser writes an IPv6 address in its canonical form, with any dotted quad as two groups.
  const canonical = new URL(`http://[${host.replace(/%.*$/, "")}]/`).hostname.slice(1, -1);
  const [left = "", right] = canonical.split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const groups = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  const buffer = Buffer.alloc(16);
  groups.forEach((group, i) => {
    buffer.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  });
  return buffer;
}
