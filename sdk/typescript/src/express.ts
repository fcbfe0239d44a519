// Express middleware: one prediction for each request of a route that is named.
import type { Client } from "./client.js";
import { makeId } from "./events.js";
import { EVENT_ID, type Route, logExchange, mayPredict, structured } from "./route.js";

interface Request {
  method: string;
  path: string;
  body?: unknown;
  app?: { enabled(setting: string): boolean };
}

interface Response {
  statusCode: number;
  json(body: unknown): unknown;
  setHeader(name: string, value: string): unknown;
  once(event: "finish" | "close", listener: () => void): unknown;
}

/** How a path is compared: as Express does it, in any case and with a slash at the end or without, unless the app is set otherwise. */
function compared(path: string, app: Request["app"]): string {
  const loose = app?.enabled("strict routing") || path === "/" ? path : path.replace(/\/$/, "");
  return app?.enabled("case sensitive routing") ? loose : loose.toLowerCase();
}

/** `app.use(express.json()); app.use(windvane(client, { "/predict": { model: "delay" } }))`. */
export function windvane(client: Client, routes: Record<string, Route>) {
  const named = Object.entries(routes);
  return (request: Request, response: Response, next: () => void): void => {
    const path = compared(request.path, request.app);
    const route = named.find(([name]) => compared(name, request.app) === path)?.[1];
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
      const latencyUs = (performance.now() - begun) * 1000;
      const asked = seen ?? structured(request.body); // a parser of the route's own comes after this
      logExchange(client, route, { eventId, request: asked, response: answered, status, latencyUs });
    };
    response.once("finish", () => log(response.statusCode));
    response.once("close", () => log("cancelled")); // comes after `finish`, too
    next();
  };
}
