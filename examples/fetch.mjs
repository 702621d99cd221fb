// The web-standard form, without a framework. Try it: gwpm run examples/fetch.mjs

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (request.method === "POST")
      return new Response(request.body, { headers: { "content-type": "text/plain" } });
    if (pathname !== "/") return new Response("Not found\n", { status: 404 });
    return Response.json({ hello: "from fetch", pid: process.pid });
  },
};
