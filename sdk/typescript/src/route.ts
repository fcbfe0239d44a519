// What a middleware logs of a route: which model answers there, what it saw and what it said.
import type { Client } from "./client.js";
import { type Answer, type Prediction, type Scalar, shaped } from "./events.js";

/** A route of a model server. Without `features` the request's body is taken, without `answer` the response's, where they fit. */
export interface Route {
  model?: string;
  version?: string;
  features?: (request: unknown) => Record<string, Scalar>;
  answer?: (response: unknown) => Answer | undefined;
  unitId?: (request: unknown) => string | undefined;
}

/** What a handler found, before it can change it. */
export function structured(body: unknown): unknown {
  return typeof body === "object" && body !== null && !Array.isArray(body) ? { ...body } : body;
}

/** Whether a request may be a prediction; one that asks about a route, as a browser does before a request to another site, is none. */
export const mayPredict = (method: string): boolean => method !== "OPTIONS" && method !== "HEAD";

/** The header under which a client finds the event id, for the outcome. */
export const EVENT_ID = "windvane-event-id";

/** One exchange that has ended. */
export interface Exchange {
  eventId: string;
  request: unknown;
  response: unknown;
  /** Of the response, or `cancelled` where whoever asked went away before it. */
  status: number | "cancelled";
  latencyUs: number;
}

/** Logs an exchange; what the route's functions throw is said once and costs the fields they would have given. */
export function logExchange(client: Client, route: Route, exchange: Exchange): void {
  const tried = <T>(make: () => T): T | undefined => {
    try {
      return make();
    } catch {
      return undefined;
    }
  };
  const features = tried(() => (route.features ? route.features(exchange.request) : scalars(exchange.request)));
  const isGood = exchange.status !== "cancelled" && exchange.status < 400;
  const answer = isGood ? tried(() => (route.answer ? route.answer(exchange.response) : shaped(exchange.response))) : undefined;
  const unit = tried(() => route.unitId?.(exchange.request));
  const prediction: Prediction = {
    event_id: exchange.eventId,
    latency_us: Math.round(exchange.latencyUs),
    status: isGood ? "ok" : exchange.status === "cancelled" ? "cancelled" : `http_${exchange.status}`,
    ...(route.model !== undefined && { model: route.model }),
    ...(route.version !== undefined && { version: route.version }),
    ...(features !== undefined && { features }),
    ...(answer !== undefined && { prediction: answer }),
    ...(unit !== undefined && { unit_id: unit }),
  };
  client.logPrediction(prediction);
}

function scalars(body: unknown): Record<string, Scalar> | undefined {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  const kept = Object.entries(body).filter(([, value]) => value === null || typeof value !== "object");
  return Object.fromEntries(kept) as Record<string, Scalar>;
}
