/** Sends a web-standard `Response` through an exchange. */

import { encodeHead } from "../../protocol/cgi/response-head.ts";
import type { Exchange } from "../exchange.ts";

/** How many microtasks a body has to show that its first chunk was all: as many as a Response made of a string or bytes takes, and some. */
const PROMPT_MICROTASKS = 8;

/**
 * @param onAbort is given what to do when the front end goes away
 * @throws whatever the body's stream fails with
 */
export async function sendResponse(
  exchange: Exchange,
  response: Response,
  onAbort: (cancel: () => void) => void,
): Promise<void> {
  const { body } = response;
  const headers = headerList(response.headers);
  const head = (extra: string[] = []) =>
    exchange.head(encodeHead(response.status, response.statusText || undefined, [...headers, ...extra]));
  if (body === null || exchange.params.get("REQUEST_METHOD") === "HEAD" || withoutBody(response.status)) {
    head();
    exchange.end();
    await body?.cancel();
    return;
  }
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  let wake = () => {};
  exchange.onDrain = () => wake();
  onAbort(() => {
    wake();
    reader.cancel().catch(() => {});
  });
  const first = await reader.read();
  if (exchange.aborted) return;
  const second = reader.read();
  if (first.done || (await isLast(second))) {
    const length = first.value?.byteLength ?? 0;
    head(response.headers.has("content-length") ? [] : ["content-length", String(length)]);
    exchange.end(first.done ? undefined : asBuffer(first.value));
    return;
  }
  head();
  const write = async (chunk: Uint8Array) => {
    if (exchange.write(asBuffer(chunk)) || exchange.aborted) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  };
  await write(first.value);
  for (let next = await second; !next.done && !exchange.aborted; next = await reader.read())
    await write(next.value);
  if (!exchange.aborted) exchange.end();
}

/** Iterating Headers gives each Set-Cookie its own pair. */
function headerList(headers: Headers): string[] {
  const list: string[] = [];
  for (const [name, value] of headers) list.push(name, value);
  return list;
}

/** RFC 9110 §6.4.1. */
function withoutBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function isLast(next: Promise<{ readonly done: boolean }>): Promise<boolean> {
  let last = false;
  next.then(
    ({ done }) => {
      last = done;
    },
    () => {},
  );
  for (let i = 0; i < PROMPT_MICROTASKS && !last; i++) await undefined;
  return last;
}
