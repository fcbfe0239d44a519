// Where the collector is, and what it is told to let a client in: wrong ones are told at the start, without their secrets.

const ACCEPTED = "accepted is http://HOST:PORT or https://HOST:PORT";

/** The URL without an end, as requests begin with it. */
export function address(given: unknown): string {
  let url: URL;
  try {
    url = new URL(String(given));
  } catch {
    throw new TypeError(`url is ${shown(given)}; ${ACCEPTED}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new RangeError(`url is ${shown(given)}, with a user or a password, which are not sent; ${ACCEPTED}, with an API token as token`);
  }
  const isAddress = (url.protocol === "http:" || url.protocol === "https:") && url.search === "" && url.hash === "";
  if (!isAddress) throw new RangeError(`url is ${shown(given)}; ${ACCEPTED}`);
  return url.href.replace(/\/+$/, "");
}

/** A URL without what may be a password, also where it is none. */
const shown = (given: unknown): string => String(given).replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1…@");

/** A token that a header can hold; what a request says of one that it cannot would have it in a log. */
export function authorization(token: string | null | undefined): string | undefined {
  if (token === undefined || token === null) return undefined;
  if (!/^[\x21-\x7e]+$/.test(token)) throw new RangeError("token is empty, or has blanks or characters beyond ASCII; accepted is printable ASCII");
  return `Bearer ${token}`;
}
