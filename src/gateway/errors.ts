/** Everything that can go wrong between a client and a gateway socket, as one error class with stable codes and one place for its sentences. */

import { type Address, formatAddress } from "../core/address.ts";

export type GatewayErrorCode =
  /** The Unix socket does not exist. */
  | "GWPM_NO_SOCKET"
  /** Nothing listens at the address. */
  | "GWPM_REFUSED"
  /** The socket's owner and mode do not let us in. */
  | "GWPM_NOT_PERMITTED"
  /** The Unix socket's accept queue is full (EAGAIN). */
  | "GWPM_QUEUE_FULL"
  /** Any other failure to connect. */
  | "GWPM_UNREACHABLE"
  | "GWPM_TIMED_OUT"
  /** The upstream closed the connection before the response was complete. */
  | "GWPM_TRUNCATED"
  /** What the upstream sent is not an answer in the protocol. */
  | "GWPM_BAD_RESPONSE"
  /** The upstream refused the request by a FastCGI protocol status, without a response. */
  | "GWPM_REJECTED"
  /** A body of unknown length for a protocol that needs one is larger than what is put aside for it. */
  | "GWPM_BODY_TOO_LARGE"
  /** The source of the request body failed, fell silent, or did not have the length it promised. */
  | "GWPM_BODY_FAILED"
  /** The caller's signal, or the destruction of the response body. */
  | "GWPM_ABORTED";

export class GatewayError extends Error {
  readonly code: GatewayErrorCode;
  readonly address: Address;

  constructor(code: GatewayErrorCode, address: Address, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "GatewayError";
    this.code = code;
    this.address = address;
  }
}

/** Per errno of connect(2): our code, what happened, and what to do. */
const CONNECT_FAILURES: Record<string, readonly [GatewayErrorCode, string]> = {
  ENOENT: ["GWPM_NO_SOCKET", "no such file; is the pool running?"],
  ECONNREFUSED: ["GWPM_REFUSED", "connection refused, nothing listens there; is the pool running?"],
  EACCES: [
    "GWPM_NOT_PERMITTED",
    "permission denied; connect as a user whom the socket's owner and mode let in, or change the pool's \"listen\" mode, owner or group",
  ],
  EAGAIN: [
    "GWPM_QUEUE_FULL",
    'its accept queue is full; the pool has too few workers for the load, or its "listen" backlog is too short',
  ],
  ENOTSOCK: ["GWPM_REFUSED", "the file is not a socket"],
  EPROTOTYPE: ["GWPM_REFUSED", "the file is a socket of another type; a stream socket is needed"],
  ETIMEDOUT: ["GWPM_TIMED_OUT", "the host did not answer; is a firewall in between?"],
  EHOSTUNREACH: ["GWPM_UNREACHABLE", "no route to the host"],
  ENETUNREACH: ["GWPM_UNREACHABLE", "no route to the network"],
  EMFILE: ["GWPM_UNREACHABLE", "this process has no file descriptor left; raise its limit (ulimit -n)"],
};

/** @param error what a socket emitted before it was connected */
export function connectError(address: Address, error: NodeJS.ErrnoException): GatewayError {
  const errno = error.code === "EPERM" ? "EACCES" : (error.code ?? "");
  const [code, what] = CONNECT_FAILURES[errno] ?? ["GWPM_UNREACHABLE" as const, error.message];
  return new GatewayError(code, address, `Cannot reach ${formatAddress(address)}: ${what}`, error);
}

/** @param before completes "closed the connection …", such as "before it answered" */
export function truncatedError(address: Address, before: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "GWPM_TRUNCATED",
    address,
    `${formatAddress(address)} closed the connection ${before}; the worker's own log may say why`,
    cause,
  );
}

/** @param awaited what did not come: "a connection", "a response head" */
export function timeoutError(address: Address, awaited: string, limitMs: number): GatewayError {
  return new GatewayError(
    "GWPM_TIMED_OUT",
    address,
    `Timed out after ${limitMs} ms waiting for ${awaited} from ${formatAddress(address)}`,
  );
}

/** @param what a clause that says what is wrong with it: "its Content-Length is \"x\"" */
export function badResponseError(address: Address, what: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "GWPM_BAD_RESPONSE",
    address,
    `The response of ${formatAddress(address)} cannot be understood: ${what}`,
    cause,
  );
}

export function bodyError(address: Address, what: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "GWPM_BODY_FAILED",
    address,
    `Cannot send the request body to ${formatAddress(address)}: ${what}`,
    cause,
  );
}

export function abortError(address: Address, cause?: unknown): GatewayError {
  return new GatewayError(
    "GWPM_ABORTED",
    address,
    `The request to ${formatAddress(address)} was aborted`,
    cause,
  );
}
