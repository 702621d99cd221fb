/** Real programs that some tests need. One that is missing is skipped by name, unless GWPM_REQUIRE_PEERS=1 makes that a failure. */

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs, and the Debian package that brings each. */
const PEERS = {
  nginx: "nginx-light",
  wrk: "wrk",
  tmux: "tmux",
  "php-cgi": "php-cgi",
  python3: "python3",
} as const;

export type Peer = keyof typeof PEERS;

/** The program's path; `undefined` where it is not installed. */
export function findPeer(peer: Peer): string | undefined {
  // Debian's servers live in /usr/sbin, which is not on an ordinary user's PATH.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, peer)).find(isExecutable);
}

/**
 * Whether to skip what needs the peer, and the words for it:
 * `const nginx = requirePeer("nginx"); describe.skipIf(nginx.missing)("behind nginx" + nginx.note, …)`.
 *
 * @throws Error when it is missing and GWPM_REQUIRE_PEERS=1
 */
export function requirePeer(peer: Peer): { readonly missing: boolean; readonly note: string } {
  if (findPeer(peer) !== undefined) return { missing: false, note: "" };
  const reason = `${peer} is not installed (Debian: ${PEERS[peer]})`;
  if (process.env.GWPM_REQUIRE_PEERS === "1") throw new Error(`GWPM_REQUIRE_PEERS=1, but ${reason}`);
  return { missing: true, note: ` [skipped: ${reason}]` };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
