/** The PARAMS stream of one request. */

import { addPair, BlockParams, HTTPOXY, type PairOffsets } from "../block-params.ts";
import { ProtocolError } from "../error.ts";
import { sameBytes } from "../name-table.ts";
import { PairCursor } from "./name-values.ts";

export class FastCgiParams extends BlockParams {
  /**
   * @param block the content of all PARAMS records of the request, joined: pairs may be cut anywhere between records (specification,
   * appendix B; h2o cuts at byte 65,535)
   * @throws ProtocolError `FCGI_PARAMS_TRUNCATED` where it ends inside a pair
   */
  constructor(block: Buffer) {
    super(block);
    const cursor = new PairCursor(block);
    while (cursor.next());
    if (cursor.truncated) {
      throw new ProtocolError(
        "FCGI_PARAMS_TRUNCATED",
        `The PARAMS stream of ${block.length} bytes ends inside a name-value pair that begins at byte ${cursor.valueEnd}`,
      );
    }
  }

  protected locate(): PairOffsets {
    const offsets: number[] = [];
    const cursor = new PairCursor(this.block);
    while (cursor.next()) {
      addPair(offsets, this.block, cursor.nameStart, cursor.valueStart, cursor.valueStart, cursor.valueEnd);
    }
    return offsets;
  }

  /** Looks through the bytes without an index: a small handler asks for two or three variables of some twenty-five. */
  override get(name: string): string | undefined {
    const cursor = new PairCursor(this.block);
    let start = -1;
    let end = -1;
    while (cursor.next()) {
      if (!sameBytes(name, this.block, cursor.nameStart, cursor.valueStart - cursor.nameStart)) continue;
      if (start >= 0 && name.startsWith("HTTP_")) return super.get(name);
      start = cursor.valueStart;
      end = cursor.valueEnd;
    }
    return start < 0 || name === "" || name === HTTPOXY ? undefined : this.slice(start, end);
  }
}
