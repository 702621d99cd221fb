/** Unmodified apps of four frameworks give the same answers over every protocol. */

import { Readable } from "node:stream";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { stream } from "hono/streaming";
import Koa from "koa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROTOCOLS, Served } from "./served.ts";

const PIECES = ["one ", "two ", "three"];

/** Each app: GET /json, /cookies, /stream, /redirect, /url, /fail; POST /echo of JSON. */
const APPS = {
  express: expressApp,
  koa: koaApp,
  fastify: fastifyApp,
  hono: honoApp,
};

function expressApp() {
  const app = express();
  app.use(express.json({ limit: "5mb" }));
  app.get("/json", (_request, response) => void response.json({ hello: "world" }));
  app.get("/cookies", (_request, response) => void response.cookie("a", "1").cookie("b", "2").send("ok"));
  app.get("/stream", (_request, response) => void Readable.from(PIECES).pipe(response));
  app.get("/redirect", (_request, response) => response.redirect("/json"));
  app.get("/url", ({ ip, protocol, hostname, query, originalUrl }, response) => {
    response.json({ ip, protocol, hostname, query, url: originalUrl });
  });
  app.get("/fail", () => {
    throw Object.assign(new Error("oops"), { status: 503 });
  });
  app.post("/echo", (request, response) => void response.json(request.body));
  app.use((_error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
    response.status(503).send("sorry");
  });
  return app;
}

function koaApp() {
  const app = new Koa();
  app.silent = true;
  app.use(async (context) => {
    switch (context.path) {
      case "/json":
        context.body = { hello: "world" };
        break;
      case "/cookies":
        context.cookies.set("a", "1");
        context.cookies.set("b", "2");
        context.body = "ok";
        break;
      case "/stream":
        context.body = Readable.from(PIECES);
        break;
      case "/redirect":
        context.redirect("/json");
        break;
      case "/url":
        context.body = {
          ip: context.ip,
          protocol: context.protocol,
          hostname: context.hostname,
          query: context.query,
          url: context.originalUrl,
        };
        break;
      case "/fail":
        context.throw(503, "sorry", { expose: true });
        break;
      case "/echo": {
        let body = "";
        for await (const chunk of context.req.setEncoding("utf8")) body += chunk;
        context.body = JSON.parse(body);
        break;
      }
    }
  });
  return app;
}

function fastifyApp() {
  const app = fastify({ bodyLimit: 5_000_000 });
  app.get("/json", () => ({ hello: "world" }));
  app.get("/cookies", (_request, reply) =>
    reply.header("set-cookie", "a=1").header("set-cookie", "b=2").send("ok"),
  );
  app.get("/stream", (_request, reply) => reply.send(Readable.from(PIECES)));
  app.get("/redirect", (_request, reply) => reply.redirect("/json"));
  app.get("/url", ({ ip, protocol, hostname, query, originalUrl }) => {
    return { ip, protocol, hostname, query, url: originalUrl };
  });
  app.get("/fail", (_request, reply) => reply.code(503).send("sorry"));
  app.post("/echo", (request) => request.body);
  return app;
}

function honoApp() {
  const app = new Hono<{ Bindings: { gateway: { params: { get(name: string): string | undefined } } } }>();
  app.get("/json", (context) => context.json({ hello: "world" }));
  app.get("/cookies", (context) => {
    setCookie(context, "a", "1");
    setCookie(context, "b", "2");
    return context.text("ok");
  });
  app.get("/stream", (context) =>
    stream(context, async (out) => {
      for (const piece of PIECES) await out.write(piece);
    }),
  );
  app.get("/redirect", (context) => context.redirect("/json"));
  app.get("/url", (context) => {
    const url = new URL(context.req.url);
    return context.json({
      ip: context.env.gateway.params.get("REMOTE_ADDR"),
      protocol: url.protocol.slice(0, -1),
      hostname: url.hostname,
      query: context.req.query(),
      url: url.pathname + url.search,
    });
  });
  app.get("/fail", (context) => context.text("sorry", 503));
  app.post("/echo", async (context) => context.json(await context.req.json()));
  return app;
}

describe.each(PROTOCOLS)("over %s", (protocol) => {
  describe.each(Object.entries(APPS))("a %s app", (_name, makeApp) => {
    let served: Served;

    beforeAll(async () => {
      served = await Served.start(protocol, { default: makeApp() });
    });

    afterAll(() => served[Symbol.asyncDispose]());

    test("answers JSON with its length and nothing about the connection", async () => {
      const { status, headers, text } = await served.ask({ uri: "/json" });
      expect([status, text]).toEqual([200, '{"hello":"world"}']);
      expect(headers["content-type"]![0]).toMatch(/^application\/json/);
      expect(headers["content-length"]).toEqual(["17"]);
      if (protocol !== "http") {
        expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(["connection"]));
        expect(headers).not.toHaveProperty("transfer-encoding");
        expect(headers).not.toHaveProperty("date");
      }
    });

    test("sets two cookies in two headers", async () => {
      const { headers } = await served.ask({ uri: "/cookies" });
      expect(headers["set-cookie"]!.map((cookie) => cookie.split(";")[0])).toEqual(["a=1", "b=2"]);
    });

    test("streams", async () => {
      expect(await served.ask({ uri: "/stream" })).toMatchObject({ status: 200, text: PIECES.join("") });
    });

    test("redirects", async () => {
      const { status, headers } = await served.ask({ uri: "/redirect" });
      expect([status, headers.location]).toEqual([302, ["/json"]]);
    });

    test("answers HEAD without a body", async () => {
      const { status, text } = await served.ask({ method: "HEAD", uri: "/json" });
      expect([status, text]).toEqual([200, ""]);
    });

    test("knows no other page", async () => {
      expect((await served.ask({ uri: "/nothing/here" })).status).toBe(404);
    });

    test("passes its own errors on", async () => {
      expect(await served.ask({ uri: "/fail" })).toMatchObject({
        status: 503,
        text: expect.stringMatching(/sorry/),
      });
    });

    test("reads a large JSON body", async () => {
      const sent = { text: "ä".repeat(1_000_000) };
      const { status, text } = await served.ask({
        method: "POST",
        uri: "/echo",
        headers: ["content-type", "application/json"],
        body: Buffer.from(JSON.stringify(sent)),
      });
      // Compared by hand: a failure would print two megabytes.
      expect([status, JSON.parse(text).text === sent.text]).toEqual([200, true]);
    });

    test("reads a body of unknown length", async () => {
      const { text } = await served.ask({
        method: "POST",
        uri: "/echo",
        headers: ["content-type", "application/json"],
        body: Readable.from([Buffer.from('{"a":'), Buffer.from("1}")]),
      });
      expect(JSON.parse(text)).toEqual({ a: 1 });
    });

    test("keeps requests that run at the same time apart", async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          served.ask({
            method: "POST",
            uri: "/echo",
            headers: ["content-type", "application/json"],
            body: Buffer.from(JSON.stringify({ i })),
          }),
        ),
      );
      expect(answers.map(({ text }) => JSON.parse(text).i)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    });

    if (protocol === "http") return;
    test("sees the client behind the front end", async () => {
      const { text } = await served.ask({
        uri: "/url?a=1",
        headers: ["host", "shop.test"],
        params: { REMOTE_ADDR: "203.0.113.7", HTTPS: "on" },
      });
      expect(JSON.parse(text)).toEqual({
        ip: "203.0.113.7",
        protocol: "https",
        hostname: "shop.test",
        query: { a: "1" },
        url: "/url?a=1",
      });
    });
  });
});
