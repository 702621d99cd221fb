/** The PARAMS stream of one request. */

import { ProtocolError } from "../error.ts";
import { addPair, HTTPOXY, type PairOffsets, TextParams } from "../text-params.ts";
import { PairCursor } from "./name-values.ts";

/** Both of the variables that every request needs at once have a name of this length. */
const EAGER_LENGTH = "REQUEST_METHOD".length;
/** Methods that need no string of their own. */
const METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"];

export class FastCgiParams extends TextParams {
  /** REQUEST_METHOD, "" where it was not sent. */
  readonly method: string;
  /** CONTENT_LENGTH in bytes, 0 where it is not a number or was not sent. */
  readonly bodyLength: number;

  /**
   * @param text the content of all PARAMS records of the request, joined and read as latin1: pairs may be cut anywhere between records
   * (specification, appendix B; h2o cuts at byte 65,535)
   * @throws ProtocolError `FCGI_PARAMS_TRUNCATED` where it ends inside a pair
   */
  constructor(text: string) {
    super(text);
    let method = "";
    let bodyLength = 0;
    const cursor = new PairCursor(text);
    while (cursor.next()) {
      const { nameStart, valueStart } = cursor;
      if (valueStart - nameStart !== EAGER_LENGTH) continue;
      if (text.startsWith("REQUEST_METHOD", nameStart)) method = methodAt(text, valueStart, cursor.valueEnd);
      else if (text.startsWith("CONTENT_LENGTH", nameStart))
        bodyLength = numberAt(text, valueStart, cursor.valueEnd);
    }
    if (cursor.truncated) {
      throw new ProtocolError(
        "FCGI_PARAMS_TRUNCATED",
        `The PARAMS stream of ${text.length} bytes ends inside a name-value pair that begins at byte ${cursor.valueEnd}`,
      );
    }
    this.method = method;
    this.bodyLength = bodyLength;
  }

  protected locate(): PairOffsets {
    const offsets: number[] = [];
    const cursor = new PairCursor(this.text);
    while (cursor.next()) {
      addPair(offsets, this.text, cursor.nameStart, cursor.valueStart, cursor.valueStart, cursor.valueEnd);
    }
    return offsets;
  }

  /** Looks through the text without an index: a small handler asks for two or three variables of some twenty-five. */
  override get(name: string): string | undefined {
    const { text } = this;
    const { length } = name;
    const cursor = new PairCursor(text);
    let start = -1;
    let end = -1;
    while (cursor.next()) {
      if (cursor.valueStart - cursor.nameStart !== length || !text.startsWith(name, cursor.nameStart))
        continue;
      if (start >= 0 && name.startsWith("HTTP_")) return super.get(name);
      start = cursor.valueStart;
      end = cursor.valueEnd;
    }
    return start < 0 || length === 0 || name === HTTPOXY ? undefined : text.slice(start, end);
  }
}

/** nginx sends an empty text for "unknown", Caddy "-1". */
function numberAt(text: string, start: number, end: number): number {
  if (start === end) return 0;
  const value = text.slice(start, end);
  return /^[0-9]+$/.test(value) ? Number(value) : 0;
}

function methodAt(text: string, start: number, end: number): string {
  for (const method of METHODS) {
    if (method.length === end - start && text.startsWith(method, start)) return method;
  }
  return text.slice(start, end);
}
