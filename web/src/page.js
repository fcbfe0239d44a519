// What pages do better with a script: times of the viewer's zone, a theme, choices that apply at once, live updates.
// Everything can be read without it.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  const axis = new Intl.DateTimeFormat(undefined, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  // Titles of marks in charts hold no elements.
  const written = /(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC/g;

  function localTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime()) || time.dataset.local) continue;
      time.title = `${time.dateTime} (UTC)`;
      time.textContent = (time.dataset.form === "day" ? day : minute).format(at);
      time.dataset.local = "yes";
    }
    for (const tick of root.querySelectorAll("text[data-at]")) tick.textContent = axis.format(new Date(tick.dataset.at));
    for (const title of root.querySelectorAll("title[data-times]")) {
      title.textContent = title.textContent.replace(written, (_, date, time) => minute.format(new Date(`${date}T${time}Z`)));
    }
    for (const word of root.querySelectorAll("[data-zone]")) word.textContent = zone;
  }

  function choices(root) {
    for (const form of root.querySelectorAll("form.choices")) {
      form.querySelector("button")?.setAttribute("hidden", "");
      form.addEventListener("change", () => form.requestSubmit());
    }
    for (const field of root.querySelectorAll("input[data-filter]")) {
      field.hidden = false;
      field.closest("label")?.removeAttribute("hidden");
      const table = document.getElementById(field.dataset.filter);
      field.addEventListener("input", () => {
        const sought = field.value.toLowerCase();
        for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(sought);
      });
    }
  }

  function theme() {
    const button = document.getElementById("theme");
    if (!button) return;
    const root = document.documentElement;
    const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const tell = () => { button.textContent = dark() ? "Light" : "Dark"; };
    button.hidden = false;
    tell();
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage may be refused; the choice then lasts for the page */ }
      tell();
    });
  }

  // The page is asked for again when the service says that something changed; what a person has opened, typed or scrolled
  // to stays.
  function live() {
    const state = document.getElementById("live");
    const main = document.querySelector("main[data-live]");
    if (!state || !main || !window.EventSource) return;
    const events = new EventSource("/events");
    let seen = null;
    let busy = false;
    state.hidden = false;
    events.addEventListener("open", () => { state.dataset.state = "on"; state.textContent = "live"; });
    events.addEventListener("error", () => { state.dataset.state = "off"; state.textContent = "reconnecting"; });
    events.addEventListener("revision", async (event) => {
      const first = seen === null;
      if (seen === event.data) return;
      seen = event.data;
      main.dataset.revision = seen;
      if (first || busy || main.contains(document.activeElement) && /INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)) return;
      busy = true;
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        if (!answer.ok) return;
        const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
        if (!next) return;
        const open = [...main.querySelectorAll("details")].map((details) => details.open);
        const focused = [...main.querySelectorAll("a,button,summary")].indexOf(document.activeElement);
        main.replaceChildren(...next.childNodes);
        main.querySelectorAll("details").forEach((details, i) => { details.open = open[i] ?? details.open; });
        localTimes(main);
        choices(main);
        if (focused >= 0) main.querySelectorAll("a,button,summary")[focused]?.focus({ preventScroll: true });
        main.dataset.updated = String(Number(main.dataset.updated || 0) + 1);
      } finally {
        busy = false;
      }
    });
    addEventListener("pagehide", () => events.close());
  }

  localTimes(document);
  choices(document);
  theme();
  live();
})();
