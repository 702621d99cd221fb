// An unmodified Koa app: npm install koa && gwpm run koa.mjs

import Koa from "koa";

const app = new Koa();

app.use(async (context, next) => {
  const start = performance.now();
  await next();
  context.set("Server-Timing", `app;dur=${(performance.now() - start).toFixed(2)}`);
});

app.use((context) => {
  context.body = { hello: "from koa", path: context.path, pid: process.pid };
});

export default app;
