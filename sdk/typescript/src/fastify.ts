// Fastify hooks: one prediction for each request of a route that is named.
import type { Client } from "./client.js";
import { makeId } from "./events.js";
import { EVENT_ID, type Route, logExchange, mayPredict, structured } from "./route.js";

interface Request {
  method: string;
  body?: unknown;
  routeOptions: { url?: string | undefined };
}

interface Reply {
  statusCode: number;
  elapsedTime: number;
  raw: { readonly writableFinished: boolean; once(event: "close", listener: () => void): unknown };
  header(name: string, value: string): unknown;
}

interface Fastify {
  addHook(name: "preHandler", hook: (request: Request, reply: Reply) => Promise<void>): unknown;
  addHook(name: "preSerialization", hook: (request: Request, reply: Reply, payload: unknown) => Promise<unknown>): unknown;
  addHook(name: "onResponse", hook: (request: Request, reply: Reply) => Promise<void>): unknown;
}

/** `windvane(app, client, { "/predict": { model: "delay" } })`, before the routes are declared. */
export function windvane(app: Fastify, client: Client, routes: Record<string, Route>): void {
  const open = new WeakMap<Request, { eventId: string; request: unknown; response?: unknown; begun: number }>();
  const log = (request: Request, status: number | "cancelled", latencyMs?: number): void => {
    const exchange = open.get(request);
    const route = routes[request.routeOptions.url ?? ""];
    if (exchange === undefined || route === undefined) return;
    open.delete(request);
    const { eventId, request: seen, response, begun } = exchange;
    const latencyUs = (latencyMs ?? performance.now() - begun) * 1000;
    logExchange(client, route, { eventId, request: seen, response, status, latencyUs });
  };
  app.addHook("preHandler", async (request, reply) => {
    if (routes[request.routeOptions.url ?? ""] === undefined || !mayPredict(request.method)) return;
    const eventId = makeId();
    open.set(request, { eventId, request: structured(request.body), begun: performance.now() });
    reply.header(EVENT_ID, eventId);
    const { raw } = reply;
    raw.once("close", () => {
      if (!raw.writableFinished) log(request, "cancelled");
    });
  });
  app.addHook("preSerialization", async (request, _reply, payload) => {
    const exchange = open.get(request);
    if (exchange !== undefined) exchange.response = payload;
    return payload;
  });
  app.addHook("onResponse", async (request, reply) => log(request, reply.statusCode, reply.elapsedTime));
}
