// Express middleware: one prediction for each request of a route that is named.
import type { Client } from "./client.js";
import { makeId } from "./events.js";
import { EVENT_ID, type Route, logExchange, mayPredict, structured } from "./route.js";

interface Request {
  method: string;
  path: string;
  body?: unknown;
}

interface Response {
  statusCode: number;
  json(body: unknown): unknown;
  setHeader(name: string, value: string): unknown;
  once(event: "finish" | "close", listener: () => void): unknown;
}

/** `app.use(express.json()); app.use(windvane(client, { "/predict": { model: "delay" } }))`. */
export function windvane(client: Client, routes: Record<string, Route>) {
  return (request: Request, response: Response, next: () => void): void => {
    const route = routes[request.path];
    if (route === undefined || !mayPredict(request.method)) return next();
    const eventId = makeId();
    const begun = performance.now();
    const seen = structured(request.body);
    let answered: unknown;
    response.setHeader(EVENT_ID, eventId);
    const json = response.json;
    response.json = function (body: unknown): unknown {
      answered = body;
      return json.call(this, body);
    };
    let isLogged = false;
    const log = (status: number | "cancelled"): void => {
      if (isLogged) return;
      isLogged = true;
      logExchange(client, route, { eventId, request: seen, response: answered, status, latencyUs: (performance.now() - begun) * 1000 });
    };
    response.once("finish", () => log(response.statusCode));
    response.once("close", () => log("cancelled")); // comes after `finish`, too
    next();
  };
}
