// What an answer of the collector says, and what a failure does that came in its place.

/** Whether the server may have read the request all the same. Browsers do not say why none was answered. */
export function mayHaveArrived(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === "object" && cause !== null ? (cause as { code?: unknown }).code : undefined;
  return code !== "ECONNREFUSED" && code !== "ENOTFOUND";
}

/** What was thrown, as text: anything may be, also what has none. */
export function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "what was thrown has no text";
  }
}

/** Why a request failed: that fetch failed is all that its own error says. */
export function causeOf(error: unknown): string {
  const cause = (error instanceof Error ? error.cause : undefined) as { message?: unknown; code?: unknown } | undefined;
  const said = cause?.message || cause?.code;
  return said ? `: ${textOf(said).trim()}` : ""; // that of TLS ends with a line's end
}

/** What is wrong with the first record that was rejected. */
export function firstOf(rejected: unknown): string {
  const first: unknown = Array.isArray(rejected) ? rejected[0] : undefined;
  const { message } = (first ?? {}) as { message?: unknown };
  return String(message ?? "no reason was given").slice(0, 300);
}

export function parsed(body: string): Record<string, unknown> {
  try {
    const told: unknown = JSON.parse(body);
    return typeof told === "object" && told !== null ? (told as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
