/** The bytes of requests, as front ends send them. */

import { Role, Type } from "../../../src/protocol/fastcgi/constants.ts";
import {
  encodeBeginRequest,
  encodeEndOfStream,
  encodeParams,
  encodeStream,
} from "../../../src/protocol/fastcgi/encode.ts";
import { encodeScgiHead } from "../../../src/protocol/scgi/encode.ts";

export interface RequestShape {
  readonly id?: number;
  readonly keep?: boolean;
  readonly role?: number;
  readonly params?: Readonly<Record<string, string>>;
  /** `null`: STDIN stays open. @default "" */
  readonly body?: string | Buffer | null;
}

const USUAL = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/x?a=1",
  SERVER_PROTOCOL: "HTTP/1.1",
  HTTP_HOST: "example.test",
};

export function fastcgiRequest(shape: RequestShape = {}): Buffer {
  const { id = 1, keep = true, role = Role.RESPONDER, body = "" } = shape;
  const content = Buffer.from(body ?? "");
  return Buffer.concat([
    encodeBeginRequest(id, role, keep),
    encodeParams(id, Object.entries({ ...USUAL, ...shape.params })),
    ...encodeStream(Type.STDIN, id, content),
    ...(body === null ? [] : [encodeEndOfStream(Type.STDIN, id)]),
  ]);
}

export function stdin(content: string | Buffer, id = 1): Buffer {
  return Buffer.concat(encodeStream(Type.STDIN, id, Buffer.from(content)));
}

export function stdinEnd(id = 1): Buffer {
  return encodeEndOfStream(Type.STDIN, id);
}

/** @param length announced, where it is not the body's */
export function scgiRequest(
  body: string | Buffer = "",
  params: Record<string, string> = {},
  length?: number,
): Buffer {
  const content = Buffer.from(body);
  const variables = { ...USUAL, CONTENT_LENGTH: String(length ?? content.length), ...params };
  return Buffer.concat([encodeScgiHead(Object.entries(variables)), content]);
}
