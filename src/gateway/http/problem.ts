/** What a client of the HTTP listener is told when the upstream fails: a status, and a reason without paths or addresses. */

import type { GatewayError, GatewayErrorCode } from "../errors.ts";

export interface Problem {
  readonly status: 400 | 408 | 413 | 502 | 503 | 504;
  readonly reason: string;
}

const PROBLEMS: Record<GatewayErrorCode, Problem> = {
  GWPM_NO_SOCKET: { status: 502, reason: "its socket does not exist; is it running?" },
  GWPM_REFUSED: { status: 502, reason: "nothing listens on its socket; is it running?" },
  GWPM_NOT_PERMITTED: { status: 502, reason: "its socket does not let the gateway in" },
  GWPM_UNREACHABLE: { status: 502, reason: "its socket cannot be reached" },
  GWPM_QUEUE_FULL: { status: 503, reason: "its queue is full, all workers are busy" },
  GWPM_TIMED_OUT: { status: 504, reason: "no worker answered in time" },
  GWPM_TRUNCATED: { status: 502, reason: "the worker closed the connection before it answered" },
  GWPM_BAD_RESPONSE: { status: 502, reason: "the worker's answer cannot be understood" },
  GWPM_REJECTED: { status: 503, reason: "the worker refused the request" },
  GWPM_BODY_FAILED: { status: 408, reason: "the request body did not arrive" },
  GWPM_BODY_TOO_LARGE: { status: 413, reason: "the request body is too large" },
  // Only when the client has gone; nobody reads it.
  GWPM_ABORTED: { status: 502, reason: "the request was aborted" },
};

export function problemOf(error: GatewayError): Problem {
  return PROBLEMS[error.code];
}
