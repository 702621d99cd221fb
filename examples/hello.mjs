// A plain (request, response) handler. Try it: gwpm run examples/hello.mjs

import { setTimeout as sleep } from "node:timers/promises";

let served = 0;

export default async function hello(request, response) {
  served += 1;
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/") return page(request, response);
  if (pathname === "/stream") return stream(response);
  if (pathname === "/echo" && request.method === "POST") return echo(request, response);
  response.writeHead(404, { "Content-Type": "text/plain" });
  response.end(`There is nothing at ${pathname}\n`);
}

function page(request, response, greeting = process.env.GREETING ?? "Hello") {
  const facts = {
    process: process.pid,
    slot: process.env.GWPM_SLOT ?? "none",
    generation: process.env.GWPM_GENERATION ?? "none",
    pool: process.env.GWPM_POOL ?? "none",
    protocol: process.env.GWPM_PROTOCOL ?? "http",
    "requests served here": served,
    "your address": request.socket.remoteAddress,
  };
  const rows = Object.entries(facts).map(
    ([name, value]) => `<tr><th>${name}<td>${escapeHtml(String(value))}`,
  );
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>gwpm</title>
<style>
  body { font: 1.05rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem; color: #223 }
  h1 { font-weight: 600; letter-spacing: -.02em }
  table { border-collapse: collapse; width: 100% }
  th { text-align: left; font-weight: 400; color: #667 }
  th, td { padding: .35rem 0; border-bottom: 1px solid #e4e6ec }
  td { text-align: right; font-variant-numeric: tabular-nums }
  form { display: flex; gap: .5rem; margin: 1.5rem 0 }
  input { flex: 1; font: inherit; padding: .4rem .6rem; border: 1px solid #c8ccd6; border-radius: .4rem }
  button { font: inherit; padding: .4rem 1rem; border: 0; border-radius: .4rem; background: #2456d6; color: #fff }
  @media (prefers-color-scheme: dark) {
    body { background: #14161c; color: #e4e6ec } th { color: #99a } th, td { border-color: #2a2e38 }
    input { background: #1c1f27; color: inherit; border-color: #3a3f4c } a { color: #8ab0ff }
  }
</style>
<h1>${escapeHtml(greeting)} from a persistent worker</h1>
<p>This page was made by a process that stays alive between requests. Reload to meet its siblings.
<table>${rows.join("\n")}</table>
<form method="post" action="/echo">
  <input name="name" placeholder="Your name" aria-label="Your name" required>
  <button>Send</button>
</form>
<p><a href="/stream">Watch a response arrive in pieces</a>
`);
}

/** The front end has to pass each piece on as it comes; nginx does so when it is asked to. */
async function stream(response) {
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8", "X-Accel-Buffering": "no" });
  for (let i = 1; i <= 10 && !response.destroyed; i++) {
    response.write(`piece ${i} of 10, from process ${process.pid}\n`);
    await sleep(300);
  }
  response.end();
}

async function echo(request, response) {
  let form = "";
  for await (const chunk of request) {
    form += chunk;
    if (form.length > 10_000) {
      response.writeHead(413, { "Content-Type": "text/plain" });
      return response.end("That is a long name\n");
    }
  }
  return page(
    request,
    response,
    `${process.env.GREETING ?? "Hello"}, ${new URLSearchParams(form).get("name") || "stranger"}`,
  );
}

function escapeHtml(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
