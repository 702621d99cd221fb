/** The request target from CGI variables. */

import type { Params } from "../protocol/params.ts";

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

/**
 * REQUEST_URI as the client sent it: the only variable that every front end fills alike, `SCRIPT_NAME` and `PATH_INFO` differ.
 * An absolute form (Apache and HAProxy pass it on) is cut to path and query, as a server that is not a proxy sees it.
 */
export function originalUrl(params: Params): string {
  const uri = params.get("REQUEST_URI");
  if (uri === undefined || uri === "") return urlFromParts(params);
  if (uri.charCodeAt(0) === 47 /* slash */ || uri === "*") return uri;
  const path = uri.replace(ABSOLUTE_FORM, "");
  return path === "" || path.startsWith("?") ? `/${path}` : path;
}

/** RFC 3875 has no REQUEST_URI: decoded path parts, encoded again. */
function urlFromParts(params: Params): string {
  const path = `${params.get("SCRIPT_NAME") ?? ""}${params.get("PATH_INFO") ?? ""}`;
  const query = params.get("QUERY_STRING") ?? "";
  // Values are latin1 as node:http's are: each character is one byte of the path.
  const encoded = path.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  const absolute = encoded.startsWith("/") ? encoded : `/${encoded}`;
  return query === "" ? absolute : `${absolute}?${query}`;
}

/** @param basePath where the front end mounts the pool, such as `/app`; a target outside it is left as it is */
export function stripBasePath(url: string, basePath: string): string {
  if (basePath === "" || basePath === "/") return url;
  const base = basePath.endsWith("/") ? basePath.slice(0, -1) : basePath;
  if (!url.startsWith(base)) return url;
  const rest = url.slice(base.length);
  if (rest === "") return "/";
  if (rest.startsWith("/")) return rest;
  return rest.startsWith("?") ? `/${rest}` : url;
}
