/** The header block of an SCGI request: strings that end in NUL, names and values in turn. */

import { addPair, BlockParams, type PairOffsets } from "../block-params.ts";
import { ProtocolError } from "../error.ts";

export class ScgiParams extends BlockParams {
  /**
   * @param block the content of the netstring
   * @throws ProtocolError `SCGI_BAD_HEADERS`
   */
  constructor(block: Buffer) {
    super(block, pairOffsets(block));
  }

  protected locate(): PairOffsets {
    return pairOffsets(this.block);
  }
}

function pairOffsets(block: Buffer): number[] {
  const offsets: number[] = [];
  let at = 0;
  while (at < block.length) {
    const nameEnd = block.indexOf(0, at);
    const valueEnd = nameEnd < 0 ? -1 : block.indexOf(0, nameEnd + 1);
    if (valueEnd < 0) bad(at, "a name or value without its NUL");
    if (nameEnd === at) bad(at, "an empty name");
    addPair(offsets, block, at, nameEnd, nameEnd + 1, valueEnd);
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
