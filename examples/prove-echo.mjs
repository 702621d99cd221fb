// An app that `gwpm prove` can look through: it says whose answer this is, and how often it has been asked.
// Try it: gwpm run examples/prove-echo.mjs --socket ./prove.sock
// and beside it: gwpm prove prove-echo --socket ./prove.sock --reload-every 1s
//
// The workers share one file, a line for each request that they have handled. PROVE_FILE names it; remove it when you are done.

import { appendFileSync, openSync, readSync } from "node:fs";

const FILE = process.env.PROVE_FILE ?? "prove-echo.handled";

const handled = new Map();
const buffer = Buffer.alloc(64 * 1024);
let fd;
let position = 0;
let rest = "";

export default async function proveEcho(request, response) {
  for await (const _ of request); // A request has been handled when all of it has been read.
  const name = request.headers["x-gwpm-prove"];
  if (name !== undefined && /^[\w-]{1,64}$/.test(name)) {
    response.setHeader("X-Gwpm-Prove", name);
    response.setHeader("X-Gwpm-Prove-Count", countUp(name));
  }
  response.setHeader("Content-Type", "text/plain");
  response.end(`Hello ${name ?? "stranger"}\n`);
}

/** The line is written before the others are read: of two workers that handle the same request, at least one sees both. */
function countUp(name) {
  appendFileSync(FILE, `${name}\n`);
  fd ??= openSync(FILE, "r");
  for (;;) {
    const length = readSync(fd, buffer, 0, buffer.length, position);
    if (length === 0) return handled.get(name);
    position += length;
    const lines = (rest + buffer.toString("latin1", 0, length)).split("\n");
    rest = lines.pop();
    for (const line of lines) handled.set(line, (handled.get(line) ?? 0) + 1);
  }
}
