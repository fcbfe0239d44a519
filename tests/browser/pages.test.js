// Every page in a real browser: dark and light, wide and narrow, with and without a script; no errors, no request to another
// host, no fault that axe-core finds, forms and live updates. Screenshots for people go to .cache/screenshots.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { printed, shot, sound } from "./checks.js";
import { MODEL, OTHER, Service } from "./seed.js";

const BINARY = process.env.WINDVANE;
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const PATIENCE_MS = 30_000;
const PAGES = {
  fleet: "/",
  model: `/models/${MODEL}`,
  other: `/models/${encodeURIComponent(OTHER)}`,
  feature: `/models/${MODEL}/features/temp`,
  category: `/models/${MODEL}/features/carrier`,
  experiments: "/experiments",
  experiment: "/experiments/checkout",
  gates: "/gates",
  gate: "/gates/broken",
  alerts: "/alerts",
  pipeline: "/pipeline",
  settings: "/settings",
  queries: "/sql",
  query: `/sql/drift_columns?model=${MODEL}&monitor=daily`,
};
// The pages whose rows are no table.
const WITHOUT_TABLE = new Set(["query"]);
const VERDICTS = { drift: "drift", quality: "fail", performance: "fail", experiment: "better", gate: "worse" };
const VIEWPORTS = { wide: { width: 1280, height: 860 }, narrow: { width: 390, height: 844 } };

let service;
let reports;
let browser;

before(async () => {
  service = await Service.start(BINARY);
  await service.seed();
  reports = service.reports();
  // The sandbox of Chromium needs rights that a container does not give; pages are ours alone.
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
});

after(async () => {
  await browser?.close();
  if (service) assert.equal(await service.stop(), 0, "the service ends in order, live connections or not");
});

/** A page that collects what must not happen; it may ask what begins so, the service unless told otherwise. */
async function open(options, home = () => service.url) {
  const context = await browser.newContext({ timezoneId: "America/New_York", locale: "en-US", ...options });
  const faults = [];
  const page = await context.newPage();
  page.on("console", (message) => { if (message.type() === "error") faults.push(`console: ${message.text()}`); });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("request", (request) => { if (!request.url().startsWith(home()) && !request.url().startsWith("data:")) faults.push(`request to ${request.url()}`); });
  return { page, faults, close: () => context.close() };
}

for (const colorScheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries(VIEWPORTS)) {
    test(`every page is sound in ${colorScheme}, ${size}`, async () => {
      const { page, faults, close } = await open({ colorScheme, viewport });
      await page.goto(service.url);
      const cut = await page.locator("#fleet").evaluate((table) => table.scrollWidth - table.closest(".scroll").clientWidth);
      if (size === "wide") assert.ok(cut <= 0, `the fleet is ${cut} pixels wider than its card`);
      for (const [name, path] of Object.entries(PAGES)) {
        const answer = await page.goto(service.url + path, { waitUntil: "load" });
        assert.equal(answer.status(), 200, path);
        await sound(page, `${path} in ${colorScheme}, ${size}`);
        await shot(page, `${name}-${colorScheme}-${size}`);
      }
      assert.deepEqual(faults, []);
      await close();
    });

    test(`every report is sound in ${colorScheme}, ${size}`, async () => {
      for (const [name, path] of Object.entries(reports)) {
        const file = pathToFileURL(path).href;
        const { page, faults, close } = await open({ colorScheme, viewport }, () => file);
        await page.goto(file);
        assert.ok(statSync(path).size < 2_000_000, `${name} has ${statSync(path).size} bytes`);
        assert.ok(await page.locator(`.answer.${VERDICTS[name]}`).isVisible(), `${name} says what it found`);
        await sound(page, `the report of ${name} in ${colorScheme}, ${size}`);
        await shot(page, `report-${name}-${colorScheme}-${size}`);
        assert.deepEqual(faults, [], name);
        await close();
      }
    });
  }
}

test("every page and every report prints", async () => {
  const { page, faults, close } = await open({ colorScheme: "dark" }, () => "");
  for (const [name, path] of Object.entries(PAGES)) {
    await page.goto(service.url + path);
    await printed(page, name);
  }
  for (const [name, path] of Object.entries(reports)) {
    await page.goto(pathToFileURL(path).href);
    await printed(page, `report-${name}`);
  }
  assert.deepEqual(faults, []);
  await close();
});

test("a model's page tells what each kind of monitor found", async () => {
  const { page, faults, close } = await open({ viewport: VIEWPORTS.wide });
  await page.goto(`${service.url}/models/${MODEL}`);
  for (const [region, row] of [["Gaps between groups", /region (east|west)/], ["Latency by group", /version 8/], ["Metrics of the newest window", /roc_auc/]]) {
    assert.match(await page.getByRole("group", { name: region }).innerText(), row, region);
  }
  await page.goto(service.url + PAGES.other);
  assert.match(await page.locator("main").innerText(), /The model decides by other features than the reference/);
  assert.match(await page.getByRole("group", { name: "Features by their attributions" }).innerText(), /links/);
  assert.deepEqual(faults, []);
  await close();
});

for (const [size, viewport] of Object.entries(VIEWPORTS)) {
  test(`every page reads without a script, ${size}`, async () => {
    const { page, faults, close } = await open({ javaScriptEnabled: false, viewport });
    for (const [name, path] of Object.entries(PAGES)) {
      const answer = await page.goto(service.url + path);
      assert.equal(answer.status(), 200, path);
      const shown = await page.evaluate(() => {
        const main = document.querySelector("main");
        const rows = [...main.querySelectorAll("tbody tr")].filter((row) => row.innerText.trim().length > 0);
        return { text: main.innerText.trim().length, rows: rows.length, wider: document.documentElement.scrollWidth - document.documentElement.clientWidth };
      });
      assert.ok(shown.text > 100, `${path} says nothing`);
      assert.ok(shown.rows > 0 || WITHOUT_TABLE.has(name), `${path} has no rows`);
      assert.ok(shown.wider <= 0, `${path} is ${shown.wider} pixels wider than the screen`);
      for (const part of await page.locator("[data-zone]").all()) assert.equal(await part.innerText(), "UTC", path);
    }
    assert.deepEqual(faults, []);
    await close();
  });
}

test("what is chosen without a script is shown", async () => {
  const { page, faults, close } = await open({ javaScriptEnabled: false, viewport: VIEWPORTS.wide });
  await page.goto(`${service.url}/models/${MODEL}`);
  assert.match(await page.locator("main").innerText(), /What changed lately/);
  assert.ok(await page.locator("svg.heatmap rect.cell").count() > 50);
  await page.locator("form.choices button").click();
  assert.match(page.url(), /range=30d/);
  assert.deepEqual(faults, []);
  await close();
});

test("times are those of the viewer, and say what they are in UTC", async () => {
  const { page, close } = await open({ viewport: VIEWPORTS.wide });
  await page.goto(service.url);
  const time = page.locator("td time").first();
  assert.match(await time.getAttribute("title"), /\(UTC\)$/);
  assert.match(await time.innerText(), /Jan \d+, 2026/);
  assert.equal(await page.locator("[data-zone]").innerText(), "America/New_York");
  await page.goto(`${service.url}/models/${MODEL}`);
  const told = page.locator(".lately time").first();
  assert.match(await told.getAttribute("title"), /\(UTC\)$/);
  assert.match(await told.innerText(), /^[A-Z][a-z]+ \d+, 202\d, \d+:\d\d.[AP]M$/, "times within sentences, too");
  const titles = await page.locator("svg.heatmap title").allTextContents();
  assert.ok(titles.length > 50, "the map has cells");
  assert.deepEqual(titles.filter((title) => title.includes("UTC")), [], "and those in titles of marks");
  await page.goto(service.url + PAGES.feature);
  const days = page.locator(".plots h3 time");
  const inUtc = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeZone: "UTC" });
  for (const time of await days.all()) assert.equal(await time.innerText(), inUtc.format(new Date(await time.getAttribute("datetime"))), "days are those of UTC, of which windows are");
  assert.ok(await days.count() >= 2, "there are windows of days");
  await page.goto(`${service.url}/experiments/checkout`);
  const tick = page.locator("text[data-at]").first();
  const shown = new Intl.DateTimeFormat("en-US", { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "America/New_York" });
  assert.equal(await tick.textContent(), shown.format(new Date(await tick.getAttribute("data-at"))), "axes of a few days tell the viewer's minutes");
  await close();
});

test("choices apply at once, tables filter, and the theme stays", async () => {
  const { page, faults, close } = await open({ viewport: VIEWPORTS.wide });
  await page.goto(service.url);
  await page.getByRole("searchbox", { name: "Filter" }).fill("spam");
  assert.deepEqual(await page.locator("#fleet tbody tr:visible th").allInnerTexts().then((names) => names.every((name) => name.includes("spam"))), true);
  await page.getByRole("link", { name: "30d" }).click();
  await page.waitForURL(/range=30d/);
  await page.goto(`${service.url}/models/${MODEL}`);
  await page.locator("select[name=version]").selectOption("7");
  await page.waitForURL(/version=7/);
  await page.getByRole("button", { name: "Dark" }).click();
  await page.reload();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  assert.deepEqual(faults, []);
  await close();
});

test("a number can be followed to its statement by keyboard", async () => {
  const { page, close } = await open({ viewport: VIEWPORTS.wide });
  await page.goto(service.url);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "To the content");
  await page.getByRole("link", { name: "show SQL" }).first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/sql\/fleet/);
  assert.match(await page.locator("pre").first().innerText(), /FROM windvane\.predictions/);
  await close();
});

test("settings tell what was given, and where", async () => {
  const { page, faults, close } = await open({ viewport: VIEWPORTS.wide });
  await page.goto(`${service.url}/settings`);
  assert.match(await page.getByRole("group", { name: "server", exact: true }).getByRole("row", { name: "listen" }).first().innerText(), /127\.0\.0\.1:0\s.*windvane\.toml:3/);
  assert.deepEqual(faults, []);
  await close();
});

test("every card of a model leads to what it is taken from", async () => {
  const { page, close } = await open({ viewport: VIEWPORTS.wide });
  await page.goto(`${service.url}/models/${MODEL}`);
  const without = await page.locator("section.card").evaluateAll((cards) => cards.filter((card) => !card.querySelector(".source a")).map((card) => card.querySelector("h2")?.textContent));
  assert.deepEqual(without, []);
  await page.getByText("Where this comes from").click();
  await page.locator("section.card").first().getByRole("link", { name: "show SQL" }).first().click();
  await page.waitForURL(/\/sql\/drift_columns/);
  await close();
});

test("what comes in is seen without a reload", async () => {
  const { page, faults, close } = await open({ viewport: VIEWPORTS.wide });
  await page.goto(service.url);
  await page.locator("#live[data-state=on]").waitFor({ timeout: PATIENCE_MS });
  // The first event only says where things stand.
  await page.locator("main[data-revision]").waitFor({ timeout: PATIENCE_MS });
  await service.send("predictions", [{ model: "newcomer", version: "1", ts: "2026-01-30T12:00:00Z", prediction: { score: 0.5 } }]);
  await page.getByRole("link", { name: "newcomer" }).waitFor({ timeout: PATIENCE_MS });
  assert.deepEqual(faults, []);
  await close();
});

/** A page that is open and listening, and that can tell whether it was loaded again. */
async function listening(path) {
  const opened = await open({ viewport: VIEWPORTS.wide });
  await opened.page.goto(service.url + path);
  await opened.page.locator("#live[data-state=on]").waitFor({ timeout: PATIENCE_MS });
  await opened.page.locator("main[data-revision]").waitFor({ timeout: PATIENCE_MS });
  await opened.page.evaluate(() => { window.same = true; });
  return { ...opened, same: () => opened.page.evaluate(() => window.same === true) };
}

test("a model's page shows a new version without a reload", async () => {
  const { page, faults, close, same } = await listening(PAGES.model);
  const version = page.locator("select[name=version] option", { hasText: "9-canary" });
  assert.equal(await version.count(), 0);
  await service.send("predictions", [{ model: MODEL, version: "9-canary", ts: "2026-01-30T12:00:00Z", prediction: { score: 0.5 } }]);
  await version.waitFor({ state: "attached", timeout: PATIENCE_MS });
  assert.ok(await same(), "the page was not loaded again");
  assert.deepEqual(faults, []);
  await close();
});

test("a new alert is seen without a reload", async () => {
  const { page, faults, close, same } = await listening("/alerts");
  const alert = page.getByRole("row", { name: "sleeper has timed out" }).first();
  assert.equal(await alert.count(), 0);
  await service.send("predictions", [{ model: "sleeper", version: "1", ts: "2026-01-30T12:00:00Z", status: "timeout", prediction: { score: 0.5 } }]);
  await alert.waitFor({ timeout: PATIENCE_MS });
  assert.ok(await same(), "the page was not loaded again");
  assert.deepEqual(faults, []);
  await close();
});

const timedOut = (model) => ({ model, version: "1", ts: "2026-01-30T12:00:00Z", status: "timeout", prediction: { score: 0.5 } });

test("what is typed and opened stays where it is when the page is asked for again", async () => {
  const { page, faults, close, same } = await listening("/alerts");
  const rowOf = (model) => page.getByRole("row", { name: `${model} has timed out` }).first();
  await service.send("predictions", [timedOut("zz last")]);
  await rowOf("zz last").waitFor({ timeout: PATIENCE_MS });
  await rowOf("zz last").locator("summary", { hasText: "Silence" }).click();
  await page.getByText("New silence").click();
  await page.locator("#silence-new").getByLabel("why").fill("half a sentence");
  await page.getByRole("heading", { level: 1 }).click();
  await service.send("predictions", [timedOut("aa first")]);
  await rowOf("aa first").waitFor({ timeout: PATIENCE_MS });
  assert.equal(await page.locator("#silence-new").getByLabel("why").inputValue(), "half a sentence");
  assert.deepEqual(await page.locator("#silence-new").evaluate((form) => form.closest("details").open), true);
  const open = await page.locator("tr[id] details[open]").evaluateAll((all) => all.map((details) => details.closest("tr").textContent.includes("zz last")));
  assert.deepEqual(open, [true], "that of the alert for which it was opened");
  assert.ok(await same(), "the page was not loaded again");
  assert.deepEqual(faults, []);
  await close();
});

test("a table stays filtered, and what came in while somebody typed is shown once the field is left", async () => {
  const { page, faults, close } = await listening("/");
  const filter = page.getByRole("searchbox", { name: "Filter" });
  await filter.fill("typed");
  const updated = () => page.locator("main").evaluate((main) => Number(main.dataset.updated || 0));
  const revision = await page.locator("main").getAttribute("data-revision");
  await service.send("predictions", [{ model: "typed meanwhile", version: "1", ts: "2026-01-30T12:00:00Z", prediction: { score: 0.5 } }]);
  await page.waitForFunction((before) => document.querySelector("main").dataset.revision !== before, revision, { timeout: PATIENCE_MS });
  assert.equal(await updated(), 0, "nobody is disturbed while typing");
  await page.getByRole("heading", { level: 1 }).click();
  await page.getByRole("link", { name: "typed meanwhile" }).waitFor({ timeout: PATIENCE_MS });
  assert.equal(await filter.inputValue(), "typed");
  assert.deepEqual(await page.locator("#fleet tbody tr:visible th").allInnerTexts().then((names) => names.every((name) => name.includes("typed"))), true);
  assert.deepEqual(faults, []);
  await close();
});

test("pages in the background leave the connections to the one that is seen", async () => {
  const { page, faults, close } = await open({ viewport: VIEWPORTS.wide });
  const context = page.context();
  await context.addInitScript(() => Object.defineProperty(Document.prototype, "hidden", { configurable: true, get: () => window.name !== "seen" }));
  // A browser opens six connections to a host.
  for (let i = 0; i < 8; i++) {
    const other = await context.newPage();
    await other.goto(service.url, { timeout: PATIENCE_MS });
  }
  await page.evaluate(() => { window.name = "seen"; });
  await page.goto(service.url);
  await page.locator("#live[data-state=on]").waitFor({ timeout: PATIENCE_MS });
  assert.deepEqual(faults, []);
  await close();
});

test("an alert is acknowledged and silenced, also without a script", async () => {
  for (const javaScriptEnabled of [false, true]) {
    const { page, faults, close } = await open({ javaScriptEnabled, viewport: VIEWPORTS.wide });
    const alert = page.getByRole("row", { name: `${MODEL} has timed out` }).first();
    const find = async () => { await page.goto(`${service.url}/alerts`); return alert.isVisible(); };
    const deadline = Date.now() + PATIENCE_MS;
    while (!await find()) assert.ok(Date.now() < deadline, "the alert is shown");
    if (javaScriptEnabled) {
      assert.match(await alert.innerText(), /looked after by ada/);
    } else {
      await alert.getByText("Acknowledge").first().click();
      await alert.getByLabel("who looks after it").fill("ada");
      await alert.getByRole("button", { name: "Acknowledge" }).click();
      await page.waitForURL(`${service.url}/alerts`);
      assert.match(await alert.innerText(), /looked after by ada/);
    }
    await page.getByText("New silence").click();
    const form = page.locator("#silence-new");
    await form.getByLabel("alerts with, a line each").fill(`model="${javaScriptEnabled}"`);
    await form.getByLabel("by", { exact: true }).fill("ada");
    await form.getByLabel("why").fill("a test");
    await form.getByRole("button", { name: "Silence" }).click();
    const silence = page.getByRole("row", { name: `model="${javaScriptEnabled}"` });
    await silence.waitFor({ timeout: PATIENCE_MS });
    await silence.getByRole("button", { name: "End now" }).click();
    await silence.waitFor({ state: "detached", timeout: PATIENCE_MS });
    assert.deepEqual(faults, []);
    await close();
  }
});

test("a model of any name has its page, and its columns have theirs", async () => {
  const names = [".", "..", "~.", "a/b", "100%", "%2E%2E", "a?b#c", "ü🦀", "<b>it's</b>"];
  const events = names.map((model) => ({ model, version: "1", ts: "2026-01-30T12:00:00Z", features: { "..": 1 }, prediction: { score: 0.5 } }));
  await service.send("predictions", events);
  const { page, faults, close } = await open({ viewport: VIEWPORTS.wide });
  for (const name of names) {
    const link = page.locator("#fleet tbody th a").filter({ hasText: new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")}$`) });
    await page.goto(service.url);
    await link.first().waitFor({ timeout: PATIENCE_MS });
    await link.first().click();
    await page.waitForURL(/\/models\//);
    assert.equal(await page.locator("h1").innerText(), name);
    await page.getByRole("link", { name: "7d" }).click();
    await page.waitForURL(/range=7d/);
    assert.equal(await page.locator("h1").innerText(), name);
  }
  assert.deepEqual(faults, []);
  await close();
});

test("an empty service says what to do next", async () => {
  const fresh = await Service.start(BINARY);
  const context = await browser.newContext();
  const page = await context.newPage();
  for (const [path, words] of [["/", "Nothing is recorded yet"], ["/experiments", "No look is recorded"], ["/gates", "No run of a gate is recorded"], ["/alerts", "No alert has ever fired"], ["/pipeline", "This process"]]) {
    await page.goto(fresh.url + path);
    assert.ok((await page.locator("main").innerText()).includes(words), path);
  }
  await shot(page, "empty");
  await context.close();
  assert.equal(await fresh.stop(), 0);
});
