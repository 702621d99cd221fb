/** Writes the head of an SCGI request, for clients. */

import { ProtocolError } from "../error.ts";

/**
 * The netstring with the variables; the body follows it as it is. CONTENT_LENGTH goes first and SCGI second, whatever the order given.
 * @param variables name and value, latin1; must hold CONTENT_LENGTH
 * @throws ProtocolError `CGI_INVALID_VARIABLE` where a NUL would change the meaning of what follows, or CONTENT_LENGTH is missing
 */
export function encodeScgiHead(variables: Iterable<readonly [name: string, value: string]>): Buffer {
  const rest: string[] = [];
  let contentLength: string | undefined;
  for (const [name, value] of variables) {
    if (name === "" || name.includes("\0") || value.includes("\0")) {
      throw new ProtocolError(
        "CGI_INVALID_VARIABLE",
        `Cannot send the variable ${JSON.stringify(name)}: an empty name or a NUL cannot be expressed in SCGI`,
      );
    }
    if (name === "CONTENT_LENGTH") contentLength = value;
    else if (name !== "SCGI") rest.push(`${name}\0${value}\0`);
  }
  if (contentLength === undefined) {
    throw new ProtocolError("CGI_INVALID_VARIABLE", "Cannot send an SCGI request without CONTENT_LENGTH");
  }
  const block = `CONTENT_LENGTH\0${contentLength}\0SCGI\x001\0${rest.join("")}`;
  return Buffer.from(`${block.length}:${block},`, "latin1");
}
