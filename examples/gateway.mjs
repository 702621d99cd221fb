// The fast lane: nothing between the handler and the wire. Try it: gwpm run examples/gateway.mjs

export const gateway = async (request, response) => {
  if (request.method === "POST") {
    const body = await request.buffer({ limit: 1_000_000 });
    response.send(200, { "content-type": "application/octet-stream" }, body);
    return;
  }
  response.send(200, { "content-type": "text/plain" }, `Hello ${request.param("REMOTE_USER") ?? "you"}\n`);
};

// As a FastCGI authorizer, the same process decides who may see what other programs serve.
export const authorizer = (request, response) => {
  if (request.header("x-api-key") === process.env.API_KEY)
    response.send(200, { "Variable-API_CLIENT": "known" });
  else response.send(403, { "content-type": "text/plain" }, "Your key opens nothing here\n");
};
