/**
 * The CGI variables of one request over the text that they came in, decoded once as latin1: names and values are cut out of it when
 * somebody asks. One native call for the whole block, and string operations after that, cost less than a native call for each value.
 */

import { joinHeader } from "./cgi/header-fields.ts";
import { headerName } from "./cgi/request-headers.ts";
import type { Params } from "./params.ts";

/**
 * The variable that would hold a client's `Proxy:` header. Programs take it for the address of an HTTP proxy (httpoxy, CVE-2016-5385) once
 * it is in an environment, and nobody has another use for it; Apache and lighttpd drop it as well.
 */
export const HTTPOXY = "HTTP_PROXY";

/** Where each pair lies: name start, name end, value start, value end, name start, … */
export type PairOffsets = readonly number[];

/** Adds a pair to `offsets`, unless its name is empty or one that is not passed on. */
export function addPair(
  offsets: number[],
  text: string,
  name: number,
  nameEnd: number,
  value: number,
  end: number,
): void {
  const length = nameEnd - name;
  if (length === 0 || (length === HTTPOXY.length && text.startsWith(HTTPOXY, name))) return;
  offsets.push(name, nameEnd, value, end);
}

export abstract class TextParams implements Params {
  protected readonly text: string;
  #offsets: PairOffsets | undefined;

  constructor(text: string, offsets?: PairOffsets) {
    this.text = text;
    this.#offsets = offsets;
  }

  /** Finds the pairs; called once, when first needed. */
  protected abstract locate(): PairOffsets;

  get size(): number {
    return this.offsets().length / 4;
  }

  get(name: string): string | undefined {
    const offsets = this.offsets();
    let found: string | undefined;
    for (let i = 0; i < offsets.length; i += 4) {
      const start = offsets[i]!;
      if (offsets[i + 1]! - start !== name.length || !this.text.startsWith(name, start)) continue;
      found = joinValues(name, found, this.text.slice(offsets[i + 2]!, offsets[i + 3]!));
    }
    return found;
  }

  pairs(prefix = ""): string[] {
    const { text } = this;
    const offsets = this.offsets();
    const list: string[] = [];
    for (let i = 0; i < offsets.length; i += 4) {
      const start = offsets[i]!;
      const end = offsets[i + 1]!;
      if (end - start < prefix.length || !text.startsWith(prefix, start)) continue;
      list.push(text.slice(start, end), text.slice(offsets[i + 2]!, offsets[i + 3]!));
    }
    return list;
  }

  toObject(): Record<string, string> {
    const object: Record<string, string> = Object.create(null);
    const list = this.pairs();
    for (let i = 0; i + 1 < list.length; i += 2) {
      const name = list[i]!;
      object[name] = joinValues(name, object[name], list[i + 1]!);
    }
    return object;
  }

  protected offsets(): PairOffsets {
    this.#offsets ??= this.locate();
    return this.#offsets;
  }
}

function joinValues(name: string, known: string | undefined, value: string): string {
  // nginx sends both where a configuration overrides what `include fastcgi_params` has set: the last one is meant.
  if (known === undefined || !name.startsWith("HTTP_")) return value;
  return joinHeader(headerName(name), known, value);
}
