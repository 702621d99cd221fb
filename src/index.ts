/** The public SDK: what `import … from "gwpm"` gives to an app. */

import type { GatewayContext } from "./worker/request-context.ts";

export type { Params } from "./protocol/params.ts";
export type { FetchHandler } from "./worker/fetch/tier.ts";
export type { GatewayHandler, GatewayRequest, GatewayResponse } from "./worker/gateway-lane.ts";
export type { GatewayContext } from "./worker/request-context.ts";
export { type Handler, type Served, type ServeFunction, type ServeOptions, serve } from "./worker/serve.ts";

declare module "node:http" {
  interface IncomingMessage {
    /** What the front end sent beside HTTP; set in every request that gwpm serves. */
    gateway?: GatewayContext;
  }
}
