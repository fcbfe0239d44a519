// What holds of every page and every report: nothing that axe-core finds, nothing beyond the edge, nothing lost on paper.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.SCREENSHOTS;
// The width of A4 between its margins.
const PAPER = { width: 718, height: 1_020 };

if (SHOTS) mkdirSync(SHOTS, { recursive: true });

/** A picture for people, where a folder for it is named. */
export async function shot(page, name) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

/** No fault that axe-core finds, and nothing beyond the edge of the screen, also where a choice has many words. */
export async function sound(page, what) {
  const wider = await page.evaluate(() => {
    const choices = [...document.querySelectorAll("form.choices option")];
    choices.forEach((choice) => { choice.label = "in many words ".repeat(9); });
    const { scrollWidth, clientWidth } = document.documentElement;
    choices.forEach((choice) => choice.removeAttribute("label"));
    return scrollWidth - clientWidth;
  });
  assert.ok(wider <= 0, `${what} is ${wider} pixels wider than the screen`);
  const tall = await page.evaluate(() => [...document.querySelectorAll("main tbody tr")].filter((row) => row.getBoundingClientRect().height > innerHeight / 2).map((row) => row.textContent.slice(0, 60)));
  assert.deepEqual(tall, [], `${what} has rows that are taller than half the screen`);
  const thin = await page.evaluate(() => [...document.querySelectorAll("main summary")].filter((summary) => summary.getClientRects().length > 0 && summary.clientWidth < 100).map((summary) => summary.textContent));
  assert.deepEqual(thin, [], `${what} has parts to open that are too narrow to read`);
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  const told = found.violations.map((fault) => `${fault.id}: ${fault.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  assert.deepEqual(told, [], what);
}

/** Paper has nothing to click on, and nothing on it is cut or folded away. */
export async function printed(page, name) {
  await page.emulateMedia({ media: "print", colorScheme: "light" });
  await page.setViewportSize(PAPER);
  const faults = await page.evaluate(() => {
    const seen = (element) => element.getClientRects().length > 0;
    const called = (element) => `${element.tagName} ${element.getAttribute("class") ?? ""} ${element.textContent.trim().slice(0, 40)}`;
    const all = (what) => [...document.querySelectorAll(what)].filter(seen);
    const edge = document.documentElement.clientWidth + 1;
    return [
      ...all("form, button, input, select, textarea, nav, .skip, .source, .sources").map((element) => `to click on: ${called(element)}`),
      ...all("main *").filter((element) => element.getBoundingClientRect().right > edge && !element.closest("svg")).map((element) => `cut: ${called(element)}`),
      ...all("main svg").filter((element) => element.getBoundingClientRect().right > edge).map((element) => `cut: ${called(element)}`),
      ...all("details").filter((element) => !element.querySelector("form") && [...element.children].slice(1).some((child) => child.getBoundingClientRect().height === 0)).map((element) => `folded: ${called(element)}`),
    ].slice(0, 8);
  });
  assert.deepEqual(faults, [], `${name} on paper`);
  const pdf = await page.pdf({ format: "A4", path: SHOTS && join(SHOTS, `${name}.pdf`) });
  assert.equal(pdf.subarray(0, 5).toString(), "%PDF-", name);
  assert.ok(pdf.toString("latin1").match(/\/Type\s*\/Page\b/g).length >= 1, `${name} has pages`);
}
