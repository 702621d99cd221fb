/** Finds the route for a method and a path, or the problem that says why there is none. */

import { ROUTES, type Route } from "./routes.ts";
import { OperationError } from "./target.ts";

export interface Match {
  readonly route: Route;
  readonly path: Readonly<Record<string, string>>;
}

/** Thrown for a method that the path does not take; carries the `Allow` header. */
export class MethodError extends OperationError {
  readonly allow: string;

  constructor(method: string, path: string, allow: string) {
    super("GWPM_WRONG_METHOD", `${path} does not take ${method}; it takes ${allow}`, { status: 405 });
    this.allow = allow;
  }
}

const compiled = ROUTES.map((route) => ({
  route,
  pattern: new RegExp(`^${route.path.replaceAll(".", "\\.").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
}));

/**
 * @param method as the request has it; HEAD is served by GET
 * @throws OperationError 404 for an unknown path, {@link MethodError} 405 for a known one
 */
export function findRoute(method: string, path: string): Match {
  const wanted = method === "HEAD" ? "GET" : method;
  const allowed: string[] = [];
  for (const { route, pattern } of compiled) {
    const match = pattern.exec(path);
    if (match === null) continue;
    if (route.method === wanted) return { route, path: decode(match.groups ?? {}) };
    allowed.push(...allowOf(route.method));
  }
  if (allowed.length > 0) throw new MethodError(method, path, allowed.join(", "));
  throw new OperationError("GWPM_NO_SUCH_PATH", `there is no ${path} here; see /openapi.json`, {
    status: 404,
  });
}

/** The `Allow` header of a path that takes `method`. */
export function allowOf(method: Route["method"]): string[] {
  return method === "GET" ? ["GET", "HEAD"] : [method];
}

function decode(groups: Record<string, string>): Record<string, string> {
  const path: Record<string, string> = {};
  for (const [name, value] of Object.entries(groups)) {
    try {
      path[name] = decodeURIComponent(value);
    } catch {
      throw new OperationError("GWPM_BAD_PATH", `"${value}" in the path is not percent-encoded UTF-8`, {
        status: 400,
        exitCode: 2,
      });
    }
  }
  return path;
}
