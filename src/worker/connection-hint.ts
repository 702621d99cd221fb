/** Guesses what a peer speaks that does not speak our protocol, for a log line that ends the search for the mistake. */

const FASTCGI = 0x01;
const TLS_HANDSHAKE = 0x16;

/** @param first the first byte of the connection @returns `undefined` where it looks like nothing in particular */
export function guessProtocol(first: number): "FastCGI" | "SCGI" | "HTTP" | "TLS" | undefined {
  if (first === FASTCGI) return "FastCGI";
  if (first === TLS_HANDSHAKE) return "TLS";
  if (first >= 0x30 && first <= 0x39) return "SCGI";
  if (first >= 0x41 && first <= 0x5a) return "HTTP";
  return undefined;
}

/** @param expected what the worker speaks */
export function wrongProtocolHint(first: number, expected: "FastCGI" | "SCGI"): string | undefined {
  const spoken = guessProtocol(first);
  if (spoken === undefined || spoken === expected) return undefined;
  return `gwpm: a client speaks ${spoken} to this worker, which expects ${expected}; compare the pool's "protocol" with the front end's configuration`;
}
