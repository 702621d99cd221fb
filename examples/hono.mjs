// An unmodified Hono app: npm install hono && gwpm run hono.mjs

import { Hono } from "hono";
import { streamText } from "hono/streaming";

const app = new Hono();

app.get("/", (context) => {
  // What the front end sent beside HTTP, such as REMOTE_USER.
  const address = context.env.gateway.params.get("REMOTE_ADDR");
  return context.json({ hello: "from hono", address, pid: process.pid });
});

app.post("/echo", async (context) => context.json(await context.req.json()));

app.get("/stream", (context) =>
  streamText(context, async (stream) => {
    for (let i = 1; i <= 5; i++) {
      await stream.writeln(`line ${i}`);
      await stream.sleep(200);
    }
  }),
);

export default app;
