/** FCGI_WEB_SERVER_ADDRS (FastCGI 1.0 §3.2): the only peers that may connect, a comma-separated list of IP addresses. */

import { BlockList, isIP } from "node:net";

export type ClientCheck = (peerAddress: string | undefined) => boolean;

/**
 * @param list `undefined` or empty lets everyone in. A Unix socket's peer has no address and is let in as well: there, the file's
 *   mode and owner decide
 * @throws Error for an entry that is not an IP address: a typo must not open the door, or shut it silently
 */
export function allowedClients(list: string | undefined): ClientCheck {
  const entries = (list ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  if (entries.length === 0) return () => true;
  const allowed = new BlockList();
  for (const entry of entries) {
    const version = isIP(entry);
    if (version === 0) throw new Error(`FCGI_WEB_SERVER_ADDRS holds "${entry}", which is not an IP address`);
    allowed.addAddress(entry, version === 4 ? "ipv4" : "ipv6");
  }
  return (peer) => {
    if (peer === undefined || peer === "") return true;
    const address = peer.toLowerCase().startsWith("::ffff:") && peer.includes(".") ? peer.slice(7) : peer;
    return allowed.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  };
}
