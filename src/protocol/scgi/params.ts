/** The header block of an SCGI request: strings that end in NUL, names and values in turn. */

import { ProtocolError } from "../error.ts";
import { addPair, type PairOffsets, TextParams } from "../text-params.ts";

export class ScgiParams extends TextParams {
  /**
   * @param text the content of the netstring, read as latin1
   * @throws ProtocolError `SCGI_BAD_HEADERS`
   */
  constructor(text: string) {
    super(text, pairOffsets(text));
  }

  protected locate(): PairOffsets {
    return pairOffsets(this.text);
  }
}

function pairOffsets(text: string): number[] {
  const offsets: number[] = [];
  let at = 0;
  while (at < text.length) {
    const nameEnd = text.indexOf("\0", at);
    const valueEnd = nameEnd < 0 ? -1 : text.indexOf("\0", nameEnd + 1);
    if (valueEnd < 0) bad(at, "a name or value without its NUL");
    if (nameEnd === at) bad(at, "an empty name");
    addPair(offsets, text, at, nameEnd, nameEnd + 1, valueEnd);
    at = valueEnd + 1;
  }
  return offsets;
}

function bad(at: number, what: string): never {
  throw new ProtocolError(
    "SCGI_BAD_HEADERS",
    `Expected name, NUL, value, NUL in the header block, got ${what} at byte ${at}`,
  );
}
