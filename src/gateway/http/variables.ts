/** The CGI variables that the client's connection decides, not the request (RFC 3875 §4.1). */

import type { IncomingMessage } from "node:http";

export function connectionVariables(
  { socket, httpVersion }: IncomingMessage,
  software: string,
): Record<string, string> {
  return {
    SERVER_SOFTWARE: software,
    SERVER_PROTOCOL: `HTTP/${httpVersion}`,
    SERVER_ADDR: plainAddress(socket.localAddress),
    REMOTE_ADDR: plainAddress(socket.remoteAddress),
    REMOTE_PORT: String(socket.remotePort ?? ""),
  };
}

/** `::ffff:192.0.2.1` is how a dual-stack socket writes an IPv4 peer. */
function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
}
