/** The apps in examples/ do what they show. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { ROOT } from "../../support/paths.ts";
import { Served } from "./served.ts";

const FOLDER = join(ROOT, "examples");

async function serve(name: string): Promise<Served> {
  const exported = await import(/* @vite-ignore */ pathToFileURL(join(FOLDER, name)).href);
  return Served.start("fastcgi", exported as Record<string, unknown>);
}

test.each(readdirSync(FOLDER).filter((name) => name.endsWith(".mjs")))("%s has a page", async (name) => {
  await using served = await serve(name);
  const { status, text } = await served.ask({ uri: "/" });
  expect(status).toBe(200);
  expect(text).toMatch(/hello/i);
});

test("hello.mjs greets by name, and trusts nobody", async () => {
  await using served = await serve("hello.mjs");
  const body = Buffer.from(new URLSearchParams({ name: "<b>Ada</b>" }).toString());
  const { text } = await served.ask({ method: "POST", uri: "/echo", body });
  expect(text).toContain("Hello, &#60;b&#62;Ada&#60;/b&#62;");
  expect((await served.ask({ uri: "/none" })).status).toBe(404);
});

test.each(["express.mjs", "fastify.mjs", "hono.mjs"])("%s echoes JSON", async (name) => {
  await using served = await serve(name);
  const { text } = await served.ask({
    method: "POST",
    uri: "/echo",
    headers: ["content-type", "application/json"],
    body: Buffer.from('{"a":[1,2]}'),
  });
  expect(JSON.parse(text)).toEqual({ a: [1, 2] });
});

test.each(["fetch.mjs", "gateway.mjs"])("%s echoes what it is sent", async (name) => {
  await using served = await serve(name);
  expect((await served.ask({ method: "POST", uri: "/", body: Buffer.from("ping") })).text).toBe("ping");
});
