/** Tells a listening socket on a file descriptor (FCGI_LISTENSOCK_FILENO) from everything else that can be there. */

import { fstatSync, readFileSync, readlinkSync } from "node:fs";

/** `__SO_ACCEPTCON` in the flags column of /proc/net/unix. */
const ACCEPTS_CONNECTIONS = 0x10000;
/** TCP_LISTEN in the state column of /proc/net/tcp. */
const TCP_LISTEN = "0A";

/**
 * Linux only; elsewhere the answer is always false, and `GWPM_LISTEN_FDS=0` says it explicitly. A connected socket, which is what
 * stdin is under many process managers and in CI, is not mistaken for a listening one.
 */
export function isListeningSocket(fd: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    if (!isOpenSocket(fd)) return false;
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    return inode !== undefined && (listensOnUnix(inode) || listensOnTcp(inode));
  } catch {
    // Closed, or no /proc here: then nobody has passed us a socket that we could use.
    return false;
  }
}

/** Whatever kind of socket, listening or connected. */
export function isOpenSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false; // closed
  }
}

/** Columns: Num RefCount Protocol Flags Type St Inode Path. */
function listensOnUnix(inode: string): boolean {
  return rows("/proc/net/unix").some(
    (row) => row[6] === inode && (Number.parseInt(row[3] ?? "0", 16) & ACCEPTS_CONNECTIONS) !== 0,
  );
}

/** Columns: sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode. */
function listensOnTcp(inode: string): boolean {
  return ["/proc/net/tcp", "/proc/net/tcp6"].some((table) =>
    rows(table).some((row) => row[9] === inode && row[3] === TCP_LISTEN),
  );
}

function rows(table: string): string[][] {
  try {
    return readFileSync(table, "latin1")
      .split("\n")
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
