// An unmodified Fastify app: npm install fastify && gwpm run fastify.mjs

import Fastify from "fastify";

const app = Fastify();

app.get("/", () => ({ hello: "from fastify", pid: process.pid }));
app.post("/echo", (request) => request.body);
app.addHook("onClose", async () => console.log("the app has put its things away"));

export default app;
