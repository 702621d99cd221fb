import { createServer } from "node:http";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { describe, expect, test, vi } from "vitest";
import { handlersOfModule } from "../../../src/worker/handlers.ts";

const listener = () => {};

describe("the default export", () => {
  test.each([
    ["a function", listener, "node"],
    ["an express app", express(), "node"],
    ["a koa app", new Koa(), "node"],
    ["a fastify app", fastify(), "node"],
    ["an http.Server", createServer(listener), "node"],
    ["a hono app", new Hono(), "fetch"],
    ["an object with fetch", { fetch: () => new Response() }, "fetch"],
    ["a promise of an app", Promise.resolve(listener), "node"],
    ["what compilers make of one in CommonJS", { __esModule: true, default: listener }, "node"],
  ])("may be %s", async (_form, exported, kind) => {
    expect((await handlersOfModule({ default: exported }))?.responder?.kind).toBe(kind);
  });

  test.each([
    [42, /default export is a number/],
    [{ port: 80 }, /default export is an object, which/],
    [new Map(), /default export is an object of class Map/],
    [null, /default export is null/],
  ])("cannot be %o", async (exported, message) => {
    await expect(handlersOfModule({ default: exported })).rejects.toThrow(message);
  });

  test("that is a server hands its requests to whoever listens", async () => {
    const heard = vi.fn();
    const handlers = await handlersOfModule({ default: createServer(heard) });
    if (handlers?.responder?.kind !== "node") throw new Error("not a node handler");
    handlers.responder.listener("request" as never, "response" as never);
    expect(heard).toHaveBeenCalledWith("request", "response");
  });

  test("that is a fastify app is made ready, and closed in the end", async () => {
    const app = fastify();
    const seen: string[] = [];
    app.addHook("onReady", async () => void seen.push("ready"));
    app.addHook("onClose", async () => void seen.push("closed"));
    const handlers = await handlersOfModule({ default: app });
    await handlers?.close?.();
    expect(seen).toEqual(["ready", "closed"]);
  });
});

describe("named exports", () => {
  test("gateway goes before the default export", async () => {
    const handlers = await handlersOfModule({ gateway: listener, default: new Koa() });
    expect(handlers?.responder).toEqual({ kind: "gateway", handler: listener });
  });

  test("authorizer and filter stand beside any responder, or alone", async () => {
    const beside = await handlersOfModule({ authorizer: listener, default: new Hono() });
    expect([beside?.responder?.kind, beside?.authorizer]).toEqual(["fetch", listener]);
    expect(await handlersOfModule({ filter: listener })).toEqual({ filter: listener });
  });

  test("are found in module.exports, where the loader saw no names", async () => {
    const handlers = await handlersOfModule({ default: { gateway: listener } });
    expect(handlers?.responder?.kind).toBe("gateway");
  });

  test("must be functions", async () => {
    await expect(handlersOfModule({ gateway: {} })).rejects.toThrow(/export "gateway" is an object/);
  });
});

test("a module without any export has no handler", async () => {
  expect(await handlersOfModule({})).toBeUndefined();
  expect(await handlersOfModule({ default: {} })).toBeUndefined();
});
