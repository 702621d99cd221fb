/** What a decoder says of bytes that are not the protocol, and an encoder of values that would not be. */

/** Stable names, for callers that tell cases apart. */
export type ProtocolErrorCode =
  | "FCGI_BAD_VERSION"
  | "FCGI_BAD_BEGIN"
  | "FCGI_BAD_END"
  | "FCGI_UNEXPECTED_RECORD"
  | "FCGI_PARAMS_TOO_LARGE"
  | "FCGI_PARAMS_TRUNCATED"
  | "FCGI_TRUNCATED"
  | "FCGI_CANT_MPX_CONN"
  | "FCGI_OVERLOADED"
  | "FCGI_UNKNOWN_ROLE"
  | "FCGI_UNSUPPORTED"
  | "SCGI_BAD_NETSTRING"
  | "SCGI_BAD_HEADERS"
  | "SCGI_BAD_VERSION"
  | "SCGI_BAD_CONTENT_LENGTH"
  | "SCGI_HEADERS_TOO_LARGE"
  | "SCGI_TRUNCATED"
  | "CGI_BAD_HEADERS"
  | "CGI_HEADERS_TOO_LARGE"
  | "CGI_TRUNCATED_HEADERS"
  | "CGI_INVALID_STATUS"
  | "CGI_INVALID_HEADER"
  | "CGI_INVALID_VARIABLE";

export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
