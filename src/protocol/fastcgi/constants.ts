/** The numbers of FastCGI 1.0 (specification, section 8). */

export const VERSION = 1;
export const HEADER_LENGTH = 8;
export const MAX_CONTENT = 65535;

/** Record types. Those up to {@link Type.DATA} belong to a request, the others to the connection (id 0). */
export const Type = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const;

export const Role = { RESPONDER: 1, AUTHORIZER: 2, FILTER: 3 } as const;

/** The only flag of BEGIN_REQUEST: do not close the connection after the response. */
export const KEEP_CONN = 1;

/** `protocolStatus` of END_REQUEST. */
export const ProtocolStatus = {
  REQUEST_COMPLETE: 0,
  CANT_MPX_CONN: 1,
  OVERLOADED: 2,
  UNKNOWN_ROLE: 3,
} as const;
