// The pages without reload: fetch the fragment, put in only the parts that changed, keep what the reader has open, say when it is old.
"use strict";
(() => {
  const main = document.getElementById("main");
  const lost = document.getElementById("lost");
  const said = document.getElementById("said");
  const filter = document.getElementById("filter");
  const help = document.getElementById("help");
  const every = Number(main.dataset.every) || 2000;
  const LATE = 5000; // a request that takes longer is given up
  const SEEN = "fairlane-seen " + location.pathname;

  let timer = 0;
  let failures = 0;
  let goodAt = Date.now(); // this browser's clock, at the last answer
  let serverSkew = 0; // server's clock minus this browser's, at the last answer
  let at = ""; // key of the row that j and k stand on
  let markedAt = 0;
  const last = new Map(); // part name -> its HTML as it came from the server

  const rows = () => [...main.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
  const utc = (ms) => new Date(ms).toISOString().slice(11, 19) + " UTC";
  const span = (ms) => (ms < 90000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60000)} min`);

  // --- what changed since the last look -------------------------------------------------------------------------
  const recall = () => {
    try { return JSON.parse(sessionStorage.getItem(SEEN)) || {}; } catch { return {}; }
  };
  const digests = () => Object.fromEntries([...main.querySelectorAll("[data-digest]")].map((row) => [row.dataset.key, row.dataset.digest]));
  const look = () => sessionStorage.setItem(SEEN, JSON.stringify(digests()));
  function mark() {
    const seen = recall();
    let any = false;
    for (const row of main.querySelectorAll("[data-digest]")) {
      const changed = seen[row.dataset.key] !== row.dataset.digest && (row.dataset.key in seen || row.dataset.key.startsWith("move-"));
      row.classList.toggle("changed", changed);
      any ||= changed;
    }
    markedAt = any ? markedAt || Date.now() : 0;
  }
  function acknowledge() {
    // a hand on the keys or the mouse is a look; not in the first two seconds, or the mark would never be seen
    if (!markedAt || Date.now() - markedAt < 2000) return;
    look();
    mark();
  }

  // --- refresh --------------------------------------------------------------------------------------------------
  function parts(root) {
    return new Map([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  }
  function place(fresh) {
    const open = new Set([...main.querySelectorAll("details[open]")].map((d) => d.id));
    const shut = new Set([...main.querySelectorAll("details:not([open])")].map((d) => d.id));
    const focused = document.activeElement && main.contains(document.activeElement) ? path(document.activeElement) : null;
    const now = parts(main);
    let before = null;
    for (const [name, part] of fresh) {
      const html = part.outerHTML;
      const old = now.get(name);
      if (old && (last.get(name) === html || busy(old))) { before = old; continue; }
      last.set(name, html);
      for (const d of part.querySelectorAll("details[id]")) {
        if (open.has(d.id)) d.open = true; else if (shut.has(d.id)) d.open = false;
      }
      if (old) old.replaceWith(part); else if (before) before.after(part); else main.prepend(part);
      before = part;
    }
    for (const [name, part] of now) if (!fresh.has(name)) { part.remove(); last.delete(name); }
    if (focused && document.activeElement === document.body) find(focused)?.focus({ preventScroll: true });
  }
  // what somebody is writing is not taken from under their hands; the part is refreshed once they have sent it or emptied it
  function busy(part) {
    if (document.activeElement && document.activeElement.matches("input, select, textarea") && part.contains(document.activeElement)) return true;
    return [...part.querySelectorAll("form input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
  }
  // a focused element is found again by its id, else by its row's key and its place among the things in it that take focus
  const FOCUSABLE = "a[href], summary, button, input, [tabindex]";
  function path(element) {
    if (element.id) return { id: element.id };
    const holder = element.closest("[data-key], details[id], [data-part]");
    if (!holder) return null;
    return { key: holder.dataset.key, id: holder.dataset.key ? "" : holder.id, part: holder.dataset.part, place: [holder, ...holder.querySelectorAll(FOCUSABLE)].indexOf(element) };
  }
  function find(where) {
    if (where.id && where.place === undefined) return document.getElementById(where.id);
    const holder = where.key ? main.querySelector(`[data-key="${CSS.escape(where.key)}"]`) : where.id ? document.getElementById(where.id) : main.querySelector(`[data-part="${where.part}"]`);
    return holder ? [holder, ...holder.querySelectorAll(FOCUSABLE)][where.place] : null;
  }
  function announce(head) {
    document.title = head.dataset.title;
    if (announce.key !== undefined && announce.key !== head.dataset.announce) {
      said.textContent = head.querySelector("h1").textContent;
    }
    announce.key = head.dataset.announce;
  }
  function settle() {
    const head = main.querySelector("[data-part=head]");
    if (head) announce(head);
    const clock = document.getElementById("clock");
    if (clock) serverSkew = Date.parse(clock.dateTime) - Date.now();
    sift();
    mark();
    stand(at, false);
  }
  async function refresh() {
    clearTimeout(timer);
    const patience = new AbortController();
    const bell = setTimeout(() => patience.abort(), LATE);
    try {
      const answer = await fetch(main.dataset.fragment, { headers: { accept: "text/html" }, cache: "no-store", signal: patience.signal });
      if (answer.status === 401) { location.reload(); return; } // signed out meanwhile: the page itself leads to the login
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = parts(page);
      if (!fresh.has("head")) throw new Error("the server sent something else");
      place(fresh);
      failures = 0;
      goodAt = Date.now();
      settle();
      tell();
    } catch {
      failures += 1;
      tell();
    } finally {
      clearTimeout(bell);
      if (!document.hidden) timer = setTimeout(refresh, failures ? Math.min(every * 2 ** (failures - 1), 10000) : every);
    }
  }
  function tell() {
    const old = Date.now() - goodAt;
    const gone = failures > 0 && old > every + 1500;
    document.body.classList.toggle("is-lost", gone);
    if (gone) {
      const text = `▲ Connection lost ${span(old)} ago. What you see is from ${utc(goodAt + serverSkew)} and is not refreshed. Trying again; check that “fairlane serve web” runs.`;
      lost.dataset.text = text;
      // an alert is read aloud once, when it appears; afterwards its age counts on silently
      if (lost.hidden) { lost.hidden = false; lost.removeAttribute("aria-hidden"); }
      lost.textContent = text;
      lost.setAttribute("aria-live", "off");
      document.title = "◌ connection lost · Fairlane";
    } else if (!lost.hidden) {
      lost.hidden = true;
      lost.textContent = "";
      lost.removeAttribute("aria-live");
    }
  }
  function tick() {
    const clock = document.getElementById("clock");
    if (clock && !failures) clock.textContent = utc(Date.now() + serverSkew);
    if (failures) tell();
  }

  // --- rows, filter, keys ---------------------------------------------------------------------------------------
  function sift() {
    const wanted = filter.value.trim().toLowerCase();
    for (const row of main.querySelectorAll("[data-row]")) {
      row.classList.toggle("filtered-out", wanted !== "" && !row.dataset.text.toLowerCase().includes(wanted));
    }
    if (wanted) {
      // a hit in a fold must be seen
      for (const d of main.querySelectorAll("details.folded:not([open])")) if (d.querySelector("[data-row]:not(.filtered-out)")) { d.open = true; d.dataset.sifted = ""; }
    } else {
      for (const d of main.querySelectorAll("details[data-sifted]")) { d.open = false; delete d.dataset.sifted; }
    }
  }
  function stand(key, move = true) {
    at = key;
    for (const row of main.querySelectorAll(".at")) row.classList.remove("at");
    const row = key && main.querySelector(`[data-row][data-key="${CSS.escape(key)}"]`);
    if (!row) return;
    row.classList.add("at");
    if (move) { row.setAttribute("tabindex", "-1"); row.focus({ preventScroll: true }); row.scrollIntoView({ block: "nearest" }); }
  }
  function step(by) {
    const all = rows();
    if (!all.length) return;
    const here = all.findIndex((row) => row.dataset.key === at);
    stand(all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1)].dataset.key);
  }
  function enter() {
    const row = at && main.querySelector(`[data-row][data-key="${CSS.escape(at)}"]`);
    const link = row && row.querySelector("a.open");
    if (link) { link.click(); return true; }
    const fold = row && row.querySelector("details");
    if (fold) fold.open = !fold.open; else row?.querySelector("a[href]")?.click();
    return Boolean(row);
  }
  function keys(event) {
    acknowledge();
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const typing = event.target.matches("input, textarea, select");
    const sifting = event.target === filter;
    if (event.key === "Escape" && typing && !sifting) { event.target.closest("details.act")?.removeAttribute("open"); event.target.blur(); return; }
    if (event.key === "Escape" && (sifting || filter.value)) { filter.value = ""; sift(); filter.blur(); return; }
    if (typing) { if (sifting && event.key === "Enter") { filter.blur(); step(1); event.preventDefault(); } return; }
    if (event.key === "/") { filter.focus(); filter.select(); }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "?") help.showModal();
    else if (event.key === "Enter" && !event.target.matches("a, button, summary") && enter()) { /* done */ }
    else return;
    event.preventDefault();
  }
  // a bar of the strip leads to a row that may be folded away
  function reach() {
    const row = location.hash.startsWith("#p-") && document.getElementById(location.hash.slice(1));
    if (!row) return;
    row.closest("details").open = true;
    stand(row.dataset.key);
  }

  filter.hidden = false;
  const helper = document.getElementById("help-open");
  helper.hidden = false;
  helper.addEventListener("click", () => help.showModal());
  filter.addEventListener("input", sift);
  document.addEventListener("keydown", keys);
  document.addEventListener("pointerdown", acknowledge);
  main.addEventListener("click", (event) => { if (event.target.closest(".strip a")) setTimeout(reach); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); else clearTimeout(timer); });
  window.addEventListener("online", refresh);
  for (const [name, part] of parts(main)) last.set(name, part.outerHTML);
  if (!sessionStorage.getItem(SEEN)) look();
  settle();
  reach();
  setInterval(tick, 1000);
  timer = setTimeout(refresh, every);
})();
