// An unmodified express app: npm install express && gwpm run express.mjs

import express from "express";

const app = express();
app.use(express.json());
app.use(express.urlencoded({ extended: false }));

app.get("/", (request, response) => {
  response.json({ hello: "from express", ip: request.ip, secure: request.secure, pid: process.pid });
});

app.post("/echo", (request, response) => {
  response.json(request.body);
});

export default app;
