// Fastify hooks: one prediction for each request of a route that is named.
import type { Client } from "./client.js";
import { makeId } from "./events.js";
import { EVENT_ID, type Route, logExchange } from "./route.js";

interface Request {
  body?: unknown;
  routeOptions: { url?: string | undefined };
}

interface Reply {
  statusCode: number;
  elapsedTime: number;
  header(name: string, value: string): unknown;
}

interface Fastify {
  addHook(name: "preHandler", hook: (request: Request, reply: Reply) => Promise<void>): unknown;
  addHook(name: "preSerialization", hook: (request: Request, reply: Reply, payload: unknown) => Promise<unknown>): unknown;
  addHook(name: "onResponse", hook: (request: Request, reply: Reply) => Promise<void>): unknown;
}

/** `windvane(app, client, { "/predict": { model: "delay" } })`, before the routes are declared. */
export function windvane(app: Fastify, client: Client, routes: Record<string, Route>): void {
  const open = new WeakMap<Request, { eventId: string; request: unknown; response?: unknown }>();
  app.addHook("preHandler", async (request, reply) => {
    if (routes[request.routeOptions.url ?? ""] === undefined) return;
    const eventId = makeId();
    open.set(request, { eventId, request: { ...(request.body as object) } });
    reply.header(EVENT_ID, eventId);
  });
  app.addHook("preSerialization", async (request, _reply, payload) => {
    const exchange = open.get(request);
    if (exchange !== undefined) exchange.response = payload;
    return payload;
  });
  app.addHook("onResponse", async (request, reply) => {
    const exchange = open.get(request);
    const route = routes[request.routeOptions.url ?? ""];
    if (exchange === undefined || route === undefined) return;
    const { eventId, request: seen, response } = exchange;
    logExchange(client, route, { eventId, request: seen, response, status: reply.statusCode, latencyUs: reply.elapsedTime * 1000 });
  });
}
