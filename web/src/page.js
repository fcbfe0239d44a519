// What pages do better with a script: times of the viewer's zone, a theme, choices that apply at once, live updates.
// Everything can be read without it.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  // A window of whole days in UTC begins on the day before, west of there.
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
  const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const second = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const forms = { day, second };

  const axis = new Intl.DateTimeFormat(undefined, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  // Titles of marks in charts hold no elements.
  const written = /(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?) UTC/g;

  function localTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime()) || time.dataset.local) continue;
      time.title = `${time.dateTime} (UTC)`;
      time.textContent = (forms[time.dataset.form] ?? minute).format(at);
      time.dataset.local = "yes";
    }
    for (const tick of root.querySelectorAll("text[data-at]")) tick.textContent = axis.format(new Date(tick.dataset.at));
    for (const title of root.querySelectorAll("title[data-times]")) {
      title.textContent = title.textContent.replace(written, (_, date, time) => (time.length > 5 ? second : minute).format(new Date(`${date}T${time}Z`)));
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

  // Elements by what they are known by before and after the page was asked for again: the nearest name around them, and what
  // they say but for numbers. A row that comes in above others so opens nothing of theirs, and takes no focus from them.
  function known(root, selector) {
    const found = new Map();
    for (const element of root.querySelectorAll(selector)) {
      const says = element.name || element.getAttribute("aria-label") || element.querySelector("summary")?.textContent || element.textContent;
      const key = [element.closest("[id]")?.id, element.form?.action, element.tagName, says.replace(/[\d.,]+/g, "#")].join(" ");
      let nth = 0;
      while (found.has(`${key} ${nth}`)) nth++;
      found.set(`${key} ${nth}`, element);
    }
    return found;
  }

  const FIELDS = "input:not([type=hidden]), textarea, select";

  function isChanged(field) {
    if (field.options) return [...field.options].some((option) => option.selected !== option.defaultSelected);
    return field.value !== field.defaultValue;
  }

  // What a person has opened, typed, scrolled to or focused is the same in the new content.
  function renew(main, content) {
    const before = ["details", FIELDS, ".scroll, pre", "a, button, summary"].map((selector) => [selector, known(main, selector)]);
    const state = before.map(([selector, elements]) => [selector, new Map([...elements].map(([key, element]) => [key, {
      open: element.open, value: "defaultValue" in element || element.options ? isChanged(element) && element.value : false,
      left: element.scrollLeft, top: element.scrollTop, focused: element === document.activeElement,
    }]))]);
    main.replaceChildren(...content);
    localTimes(main);
    choices(main);
    for (const [selector, states] of state) {
      for (const [key, element] of known(main, selector)) {
        const was = states.get(key);
        if (!was) continue;
        if (selector === "details") element.open = was.open;
        if (was.value !== false) {
          element.value = was.value;
          if (element.dataset.filter) element.dispatchEvent(new Event("input"));
        }
        if (was.left || was.top) element.scrollTo(was.left, was.top);
        if (was.focused) element.focus({ preventScroll: true });
      }
    }
  }

  // The page is asked for again when the service says that something changed: at once, or when a person has left the field that
  // they are typing in. Only a page that is seen listens: browsers open few connections to a host, and a page in the background
  // would keep another one from being loaded.
  function live() {
    const state = document.getElementById("live");
    const main = document.querySelector("main[data-live]");
    if (!state || !main || !window.EventSource) return;
    const RETRY_MS = 30_000;
    let events = null;
    let seen = null;
    let busy = false;
    let stale = false;

    const tell = (word, on) => { state.dataset.state = on ? "on" : "off"; state.textContent = word; };
    const isTyping = () => main.contains(document.activeElement) && document.activeElement.matches(FIELDS);

    async function refresh() {
      if (busy || !stale || isTyping()) return;
      busy = true;
      stale = false;
      let failed = false;
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        const next = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
        failed = answer.status >= 500;
        if (isTyping()) stale = true;
        else if (next) {
          renew(main, next.childNodes);
          main.dataset.updated = String(Number(main.dataset.updated || 0) + 1);
        }
      } catch {
        failed = true;
      }
      busy = false;
      stale ||= failed;
      if (stale) setTimeout(refresh, failed ? RETRY_MS / 6 : 0);
    }

    function changed(event) {
      const first = seen === null;
      if (seen === event.data) return;
      seen = event.data;
      main.dataset.revision = seen;
      if (first) return;
      stale = true;
      refresh();
    }

    function listen() {
      if (events || document.hidden) return;
      const opened = new EventSource("/events");
      events = opened;
      opened.addEventListener("open", () => { tell("live", true); refresh(); });
      opened.addEventListener("error", () => {
        if (opened.readyState !== EventSource.CLOSED) return tell("reconnecting", false);
        tell("not live", false);
        leave();
        setTimeout(listen, RETRY_MS);
      });
      opened.addEventListener("revision", changed);
    }

    function leave() {
      events?.close();
      events = null;
    }

    state.hidden = false;
    main.addEventListener("focusout", () => setTimeout(refresh));
    document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); else listen(); });
    addEventListener("pagehide", leave);
    addEventListener("pageshow", listen);
    listen();
  }

  localTimes(document);
  choices(document);
  theme();
  live();
})();
