// Comfort only: suggestions, "/", and a tray of packages to compare. All else works without it.
"use strict";
{
const make = (tag, set, ...inside) => {
  const one = Object.assign(document.createElement(tag), set);
  one.append(...inside);
  return one;
};
const q = document.getElementById("q");
const list = make("ul", {id: "s", className: "suggest", role: "listbox", ariaLabel: "Packages"});
let wait, asked, urls, at;
const mark = (to) => {
  at = to;
  [...list.children].forEach((one, n) => one.ariaSelected = n === to);
  q.setAttribute("aria-activedescendant", to < 0 ? "" : "s" + to);
};
const show = (names, texts, found) => {
  urls = found;
  list.replaceChildren(...names.map((name, n) => make("li", {
    id: "s" + n, role: "option",
    onmousedown: ({button}) => button || (location = urls[n]),
  }, make("b", {}, name), make("span", {}, texts[n]))));
  list.hidden = !names.length;
  q.ariaExpanded = !list.hidden;
  mark(-1);
};
const close = () => {
  clearTimeout(wait);
  asked?.abort();
  show([], [], []);
};
const suggest = async () => {
  const {signal} = asked = new AbortController();
  try {
    const answer = await fetch("/suggest?q=" + encodeURIComponent(q.value), {signal});
    const [, ...told] = await answer.json();
    show(...told);
  } catch {}
};
Object.assign(q, {role: "combobox", ariaAutoComplete: "list"});
q.setAttribute("aria-controls", "s");
q.form.append(list);
close();
q.oninput = () => {
  clearTimeout(wait);
  asked?.abort();
  wait = setTimeout(q.value.trim() ? suggest : close, 80);
};
q.onblur = q.form.onsubmit = close;
q.onkeydown = (event) => {
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key], all = urls.length + 1;
  if (list.hidden || event.isComposing) return;
  if (step) mark((at + 1 + step + all) % all - 1);
  else if (event.key === "Escape") close();
  else if (event.key === "Enter" && at >= 0) location = urls[at];
  else return;
  event.preventDefault();
};
onkeydown = (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey
    || event.target.closest("input,textarea,select")) return;
  event.preventDefault();
  q.select();
};

let names = [];
try {
  names = JSON.parse(sessionStorage.compare).map(String).slice(0, 6);
} catch {}
const link = make("a", {});
const tray = make("aside", {className: "tray", ariaLabel: "To compare"}, link,
  make("button", {onclick: () => keep([])}, "Clear"));
const picks = [...document.querySelectorAll("[data-pick]")].map((place) => {
  const name = place.dataset.pick;
  const one = make("button", {ariaLabel: "Compare " + name, value: name, onclick: () =>
    keep(names.includes(name) ? names.filter((other) => other !== name) : [...names, name])},
  "Compare");
  place.append(one);
  return one;
});
const keep = (now) => {
  names = now;
  try {
    sessionStorage.compare = JSON.stringify(names);
  } catch {}
  link.textContent = "Compare " + names.join(", ");
  link.href = "/compare?" + new URLSearchParams(names.map((one) => ["p", one]));
  tray.hidden = !names[0];
  for (const one of picks) {
    const on = names.includes(one.value);
    one.ariaPressed = on;
    one.disabled = !on && names.length > 5;
  }
};
keep(names);
document.querySelector("main").after(tray);
}
