/** Describes the control API (OpenAPI 3.1) from the very table that answers its requests. */

import { parameterSchema } from "./query.ts";
import { ROUTES, type Route } from "./routes.ts";
import { SCHEMAS, schemaRef } from "./schemas.ts";

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: schemaRef("Problem") } },
});

/**
 * The document behind `GET /openapi.json`.
 *
 * @param version of the package
 */
export function describeApi(version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {
    "/openapi.json": {
      get: {
        operationId: "getOpenapiJson",
        summary: "This document",
        responses: {
          200: {
            description: "OpenAPI 3.1",
            content: { "application/json": { schema: { type: "object" } } },
          },
        },
      },
    },
  };
  for (const route of ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describeRoute(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "gwpm control API",
      version,
      description: "Served over HTTP/1.1 on the control socket. Errors are RFC 9457 problem documents.",
    },
    servers: [{ url: "http://gwpm", description: "any host name will do on the control socket" }],
    paths,
    components: { schemas: SCHEMAS },
  };
}

function describeRoute(route: Route): Record<string, unknown> {
  const parameters = [...describePath(route.path), ...describeQuery(route)];
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === null
      ? {}
      : {
          requestBody: {
            required: (route.body.required ?? []).length > 0,
            content: { "application/json": { schema: route.body } },
          },
        }),
    responses: describeAnswers(route),
  };
}

function describePath(path: string): unknown[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: name === "slot" ? { type: "integer", minimum: 0 } : { type: "string" },
  }));
}

function describeQuery(route: Route): unknown[] {
  return Object.entries(route.query).map(([name, { kind, description }]) => ({
    name,
    in: "query",
    description,
    schema: parameterSchema(kind),
  }));
}

function describeAnswers(route: Route): Record<string, unknown> {
  const answers: Record<string, unknown> = {};
  for (const [status, { says, schema }] of Object.entries(route.answers)) {
    const type =
      Number(status) >= 400
        ? "application/problem+json"
        : route.lines
          ? "application/x-ndjson"
          : "application/json";
    answers[status] = { description: says, content: { [type]: { schema } } };
  }
  if (Object.keys(answers).length === 0) answers[501] = problem("Not implemented yet");
  answers.default = problem("What went wrong");
  return answers;
}

/** `POST /v1/pools/{name}/scale` is `postV1PoolsScale`; a second path of that name gets its parameter too. */
function operationId(route: Route): string {
  const words = route.path.split(/[^a-zA-Z0-9]+/).filter((word) => word !== "" && word !== "name");
  return route.method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
}
