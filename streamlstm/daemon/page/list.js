// The series, a page at a time, each with a small picture; rows are kept and rewritten, so that nothing flickers.

import { goesRound } from "./chart.js";
import { count, duration, element, level, percent, say, signedPercent, STATES, worded, wordedForecast } from "./text.js";

const LIMIT = 50;
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [104, 30];
const at = (id) => document.getElementById(id);
const rows = new Map(); // by series name
let offset = 0;

at("state").append(
  element("option", { value: "" }, "all states"),
  ...Object.keys(STATES).map((state) => element("option", { value: state }, state)),
);

export function query() {
  return new URLSearchParams({ search: at("search").value.trim(), state: at("state").value, offset, limit: LIMIT });
}

export function onListChange(refresh) {
  const turnTo = (start) => {
    offset = Math.max(0, start);
    refresh();
  };
  at("search").addEventListener("input", () => turnTo(0));
  at("state").addEventListener("change", () => turnTo(0));
  at("previous").addEventListener("click", () => turnTo(offset - LIMIT));
  at("next").addEventListener("click", () => turnTo(offset + LIMIT));
}

export function showList(list, chosen) {
  if (list.offset >= list.matched) offset = 0;
  const shown = list.series.map((one) => show(rows.get(one.series) ?? row(one.series), one, chosen));
  if (!shown.length) {
    shown.push(element("li", { className: "none" }, list.total ? "No series matches." : "No series yet."));
  }
  const now = [...at("list").children];
  if (now.length !== shown.length || now.some((node, i) => node !== shown[i])) {
    at("list").replaceChildren(...shown);
    for (const [name, { item }] of rows) if (!shown.includes(item)) rows.delete(name);
  }
  at("pager").hidden = list.matched <= LIMIT;
  at("previous").disabled = list.offset === 0;
  at("next").disabled = list.offset + list.series.length >= list.matched;
  say(at("shown"), `${count(list.offset + 1)}–${count(list.offset + list.series.length)} of ${count(list.matched)}`);
}

function row(name) {
  const made = {
    name: element("b", { title: name }, name),
    value: element("span", { className: "value" }),
    next: element("span", { className: "ahead" }),
    state: element("span", { className: "chip" }),
    skill: element("span"),
    coverage: element("span"),
  };
  made.picture = document.createElementNS(SVG, "svg");
  made.picture.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  made.picture.setAttribute("aria-hidden", "true");
  made.lines = ["came", "next"].map((kind) => {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("class", kind);
    made.picture.append(line);
    return line;
  });
  made.link = element(
    "a",
    { href: `#/${encodeURIComponent(name)}` },
    made.name,
    element("span", {}, made.value, made.next),
    made.picture,
    element("span", { className: "about" }, made.state, made.skill, made.coverage),
  );
  made.item = element("li", {}, made.link);
  rows.set(name, made);
  return made;
}

function show(made, one, chosen) {
  made.item.className = one.series === chosen ? "chosen" : "";
  if (one.series === chosen) made.link.setAttribute("aria-current", "true");
  else made.link.removeAttribute("aria-current");
  say(made.value, worded(one.y, one));
  const next = one.yhat?.[0] ?? null;
  say(made.next, next === null ? "" : ` → ${wordedForecast(next, one, "")}`);
  made.next.title = next === null ? "" : `Forecast ${duration(one.leads[0] * one.step_s)} ahead`;
  say(made.state, one.state);
  made.state.className = `chip ${one.state}`;
  say(made.skill, one.skill == null ? `${count(one.n_seen)} observations` : `skill ${signedPercent(one.skill)}`);
  made.skill.title =
    "Mean over the leads, against the better of persistence and seasonal naive; above 0 is better than both";
  const [nominal, share] = Object.entries(one.coverage ?? {})[0] ?? [];
  say(made.coverage, share == null ? "" : `covers ${percent(share)}`);
  made.coverage.title =
    share == null ? "" : `Share of observations inside the ${level(nominal)} interval, mean over the leads`;
  draw(made, one, one.spark ?? [], one.leads ?? [], one.yhat ?? []);
  return made.item;
}

// Values by index, then the forecast at its leads, dashed, as far as a third of the picture.
function draw(made, one, came, leads, yhat) {
  const ahead = leads.map((lead, i) => [lead, yhat[i]]).filter(([, value]) => value !== null);
  const known = [...came, ...ahead.map(([, value]) => value)].filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const furthest = ahead.at(-1)?.[0] ?? 1;
  const now = ahead.length ? WIDTH * 0.7 : WIDTH - 2;
  const y = (value) => (high > low ? 2 + ((HEIGHT - 4) * (high - value)) / (high - low) : HEIGHT / 2).toFixed(1);
  const past = came.map((value, i) => [(came.length > 1 ? (now * i) / (came.length - 1) : now).toFixed(1), value]);
  const future = ahead.map(([lead, value]) => [(now + ((WIDTH - 2 - now) * lead) / furthest).toFixed(1), value]);
  const newest = past.at(-1)?.[1] != null ? [past.at(-1)] : [];
  made.lines[0].setAttribute("d", path(past, y, one));
  made.lines[1].setAttribute("d", path(future.length ? [...newest, ...future] : [], y, one));
}

function path(points, y, one) {
  let pen = "M";
  let before = null;
  let drawn = "";
  for (const [x, value] of points) {
    if (value === null || goesRound(before, value, one)) pen = "M";
    if (value !== null) {
      drawn += `${pen}${x} ${y(value)}`;
      pen = "L";
    }
    before = value;
  }
  return drawn;
}
