// Comfort only: suggestions, "/" and a tray of packages to compare. All else works without it.
"use strict";
(() => {
  const make = (tag, set, ...inside) => {
    const one = Object.assign(document.createElement(tag), set);
    one.append(...inside);
    return one;
  };
  const q = document.getElementById("q");
  const box = make("ul", { id: "s", className: "suggest", hidden: true, role: "listbox", ariaLabel: "Packages" });
  let wait, asked, urls = [], at = -1;
  const put = (one, key, value) => one.setAttribute(key, value);
  const show = (on) => {
    box.hidden = !on;
    put(q, "aria-expanded", on);
    if (!on) mark(-1);
  };
  const mark = (to) => {
    at = to;
    [...box.children].forEach((one, n) => put(one, "aria-selected", n === to));
    put(q, "aria-activedescendant", to < 0 ? "" : "s" + to);
    box.children[to]?.scrollIntoView({ block: "nearest" });
  };
  const suggest = async () => {
    asked?.abort();
    const text = q.value.trim();
    if (!text) return show(false);
    asked = new AbortController();
    try {
      const answer = await fetch("/suggest?q=" + encodeURIComponent(text), { signal: asked.signal });
      if (!answer.ok) return show(false);
      const [, names, summaries, found] = await answer.json();
      urls = found;
      box.replaceChildren(...names.map((name, n) => {
        const one = make("li", { id: "s" + n, role: "option" }, make("b", {}, name), make("span", {}, summaries[n]));
        one.onmousedown = (event) => (event.preventDefault(), location.assign(found[n]));
        return one;
      }));
      at = -1;
      show(names.length && document.activeElement === q);
    } catch {}
  };
  const stop = () => (clearTimeout(wait), asked?.abort(), show(false));
  for (const [key, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-controls": "s" })) put(q, key, value);
  q.form.append(box);
  show(false);
  q.oninput = () => (clearTimeout(wait), wait = setTimeout(suggest, 80));
  q.onblur = q.form.onsubmit = stop;
  q.onkeydown = (event) => {
    const many = box.hidden ? 0 : urls.length;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.isComposing || !many) return;
    if (step) mark((at + 1 + step + many + 1) % (many + 1) - 1);
    else if (event.key === "Escape") stop();
    else if (event.key === "Enter" && at >= 0) location.assign(urls[at]);
    else return;
    event.preventDefault();
  };
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input,textarea,select,[contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    q.select();
  });

  const key = "compare";
  let names = [];
  try {
    names = JSON.parse(localStorage[key]).filter((one) => typeof one === "string").slice(0, 6);
  } catch {}
  const link = make("a", {});
  const clear = make("button", { type: "button", onclick: () => keep([]) }, "Clear");
  const tray = make("aside", { className: "tray", ariaLabel: "To compare" }, link, clear);
  const keep = (now) => {
    names = now;
    try {
      localStorage[key] = JSON.stringify(names);
    } catch {}
    link.textContent = (names.length > 1 ? "Compare " : "To compare: ") + names.join(", ");
    link.href = "/compare?" + names.map((one) => "p=" + encodeURIComponent(one)).join("&");
    tray.hidden = !names.length;
    for (const one of document.querySelectorAll("[data-pick] button")) {
      const on = names.includes(one.parentNode.dataset.pick);
      put(one, "aria-pressed", on);
      one.disabled = !on && names.length > 5;
    }
  };
  for (const place of document.querySelectorAll("[data-pick]")) {
    const { pick } = place.dataset;
    const onclick = () => keep(names.includes(pick) ? names.filter((one) => one !== pick) : [...names, pick]);
    place.append(make("button", { type: "button", ariaLabel: "Compare " + pick, onclick }, "Compare"));
  }
  document.getElementById("main").after(tray);
  keep(names);
})();
