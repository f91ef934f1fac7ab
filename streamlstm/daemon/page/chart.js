// The chart: what came, what had been forecast for it, and the fan into the future.

import { between, duration, element, level, number, percent, worded, wordedForecast } from "./text.js";

const PLAIN = { displayModeBar: false, responsive: true, doubleClick: "reset", scrollZoom: false };
const MINUTE_MS = 60000;
const VALUE_PX = 3.6; // a value needs this much width to be told from the next
const MIN_VALUES = 60;
const dark = matchMedia("(prefers-color-scheme: dark)");
let shown = ""; // what the chart shows now; the same is not drawn again
let latest = null;

dark.addEventListener("change", () => latest && draw(...latest));
document.querySelector('script[src="/plotly.js"]').addEventListener("load", () => latest && draw(...latest));

// The reader's time zone at this moment, used for the whole chart: no hour is drawn twice when the clocks change.
export function zone(ms) {
  const minutes = -new Date(ms).getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes ? `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}` : "UTC";
}

export function draw(node, legend, told) {
  latest = [node, legend, told];
  const width = node.clientWidth;
  const key = JSON.stringify([
    told.series,
    told.n_seen,
    told.origin_ms,
    told.state,
    told.past?.lead,
    told.values?.y.length,
    dark.matches,
    width,
  ]);
  if (!window.Plotly || !width || key === shown) return;
  shown = key;
  const one = newest(told, Math.max(MIN_VALUES, Math.floor(width / VALUE_PX)));
  const style = getComputedStyle(document.documentElement);
  const ink = (name) => style.getPropertyValue(`--${name}`).trim();
  const shift = -new Date(one.origin_ms).getTimezoneOffset() * MINUTE_MS;
  const times = (list) => list.map((ms) => new Date(ms + shift).toISOString().slice(0, -1));
  const traces = [];
  if (one.past) traces.push(...past(one, times, ink));
  traces.push(...fan(one, times, ink));
  if (one.values) traces.push(observed(one, times, ink));
  window.Plotly.react(node, traces, layout(one, times, ink, width), PLAIN);
  node.setAttribute(
    "aria-label",
    `Chart of recent values of ${one.series} with its forecast up to ${duration(one.leads.at(-1) * one.step_s)} ahead`,
  );
  explain(legend, one);
}

// As much of the past as the width can show.
function newest(told, most) {
  if (!told.values || told.values.y.length <= most) return told;
  const from = told.values.time_ms.at(-most);
  const start = told.past.time_ms.findIndex((ms) => ms >= from);
  const cut = (list) => (start < 0 ? [] : list.slice(start));
  const cutAll = (lists) => Object.fromEntries(Object.entries(lists).map(([nominal, list]) => [nominal, cut(list)]));
  const { time_ms, yhat, lower, upper, gap } = told.past;
  const past = {
    lead: told.past.lead,
    time_ms: cut(time_ms),
    yhat: cut(yhat),
    lower: cutAll(lower),
    upper: cutAll(upper),
    gap: gap.map((at) => at - start).filter((at) => at > 0),
  };
  return { ...told, values: { time_ms: told.values.time_ms.slice(-most), y: told.values.y.slice(-most) }, past };
}

function observed(one, times, ink) {
  const came = rounds(one.values.time_ms, one.values.y, one);
  return {
    name: "observed",
    type: "scatter",
    mode: "lines+markers",
    x: times(came.x),
    y: came.y,
    line: { color: ink("ink"), width: 1.6, ...shape(one) },
    marker: { size: 3.5, color: ink("ink") },
    connectgaps: false,
    customdata: came.y.map((value) => plain(worded(value, one))),
    hovertemplate: "observed %{customdata}<extra></extra>",
  };
}

function past(one, times, ink) {
  const { lead, time_ms, yhat, lower, upper } = one.past;
  const ahead = duration(lead * one.step_s);
  const gap = yhat.flatMap((value, i) => (one.past.gap.includes(i) || goesRound(yhat[i - 1], value, one) ? [i] : []));
  const runs = [...gap, time_ms.length].map((end, i) => [i ? gap[i - 1] : 0, end]);
  const x = times(time_ms);
  const bands = banded(one).map((nominal) => {
    const polygon = { x: [], y: [] };
    for (const [start, end] of runs)
      around(polygon, x.slice(start, end), lower[nominal].slice(start, end), upper[nominal].slice(start, end));
    return band(`past ${level(nominal)}`, polygon, ink("past"));
  });
  const broken = { x: [], y: [], custom: [] };
  for (const [start, end] of runs) {
    for (let i = start; i < end; i++) {
      broken.x.push(x[i]);
      broken.y.push(yhat[i]);
      broken.custom.push(said(one, yhat, lower, upper, i));
    }
    broken.x.push(null);
    broken.y.push(null);
    broken.custom.push(["", ""]);
  }
  return [
    ...bands,
    {
      name: "past forecasts",
      type: "scatter",
      mode: "lines",
      x: broken.x,
      y: broken.y,
      customdata: broken.custom,
      line: { color: ink("past"), width: 1.4, ...shape(one) },
      hovertemplate: `forecast ${ahead} before %{customdata[0]}%{customdata[1]}<extra></extra>`,
    },
  ];
}

function fan(one, times, ink) {
  const { time_ms, lower, upper } = one.fan;
  const yhat = onwards(one.y, one.fan.yhat, one);
  const made = yhat.flatMap((value, i) => (value === null ? [] : [i]));
  if (!made.length) return [];
  const isOrigin = one.y !== null && !one.classes && one.state !== "quarantined";
  const start = isOrigin ? [[one.origin_ms, one.y]] : [];
  const [from, fromY] = [start.map(([ms]) => ms), start.map(([, y]) => y)];
  const pick = (list) => made.map((i) => list[i]);
  const x = times([...from, ...pick(time_ms)]);
  const along = (bounds) => made.map((i) => bounds[i] + yhat[i] - one.fan.yhat[i]);
  const bands = banded(one).map((nominal) => {
    const polygon = { x: [], y: [] };
    around(polygon, x, [...fromY, ...along(lower[nominal])], [...fromY, ...along(upper[nominal])]);
    return band(`next ${level(nominal)}`, polygon, ink("next"));
  });
  const [nextX, nextY] = [times(pick(time_ms)), pick(yhat)];
  return [
    ...bands,
    {
      name: "join",
      type: "scatter",
      mode: "lines",
      x: from.length ? [...times(from), nextX[0]] : [],
      y: from.length ? [...fromY, nextY[0]] : [],
      line: { color: ink("next"), width: 2 },
      hoverinfo: "skip",
    },
    {
      name: "forecast",
      type: "scatter",
      mode: one.classes ? "markers" : "lines+markers",
      x: nextX,
      y: nextY,
      customdata: made.map((i) => said(one, one.fan.yhat, lower, upper, i, one.fan.chances)),
      line: { color: ink("next"), width: 2 },
      marker: { color: ink("next"), size: 6 },
      hovertemplate: "forecast %{customdata[0]}%{customdata[1]}<extra></extra>",
    },
  ];
}

// A forecast as the pointer is told it, and how sure it is.
function said(one, yhat, lower, upper, i, chances) {
  const text = plain(wordedForecast(yhat[i], one));
  if (one.classes) return [text, chances ? `, ${percent(chances[yhat[i]][i])} likely` : ""];
  const [inner] = one.levels;
  return [text, `, ${level(inner)}: ${between(lower[inner][i], upper[inner][i], one)}`];
}

// The levels whose intervals are drawn, the widest first: words have none, and those of a truth value are no areas.
function banded(one) {
  return one.classes || one.type === "boolean" ? [] : one.levels.toReversed();
}

// From one word to the next there is nothing between.
function shape(one) {
  return one.classes ? { shape: "hv" } : {};
}

// Whether an angle passes its end: the way is then not through all that lies between.
export function goesRound(before, value, one) {
  return one.turn && before != null && value !== null && Math.abs(value - before) > one.turn / 2;
}

// A line that is interrupted where an angle goes round.
function rounds(x, y, one) {
  const line = { x: [], y: [] };
  y.forEach((value, i) => {
    if (goesRound(y[i - 1], value, one)) {
      line.x.push(x[i]);
      line.y.push(null);
    }
    line.x.push(x[i]);
    line.y.push(value);
  });
  return line;
}

// A fan is one piece: an angle goes on in it beyond its ends.
function onwards(y, yhat, one) {
  if (!one.turn) return yhat;
  let before = y;
  return yhat.map((value) => {
    if (value === null) return null;
    before = before === null ? value : value + one.turn * Math.round((before - value) / one.turn);
    return before;
  });
}

// One closed outline: along the lower bounds, back along the upper ones.
function around(polygon, x, lower, upper) {
  const known = x.flatMap((_, i) => (lower[i] === null || upper[i] === null ? [] : [i]));
  if (!known.length) return;
  const back = known.toReversed();
  polygon.x.push(...known.map((i) => x[i]), ...back.map((i) => x[i]), null);
  polygon.y.push(...known.map((i) => lower[i]), ...back.map((i) => upper[i]), null);
}

function band(name, { x, y }, color) {
  return {
    name,
    type: "scatter",
    mode: "lines",
    x,
    y,
    fill: "toself",
    fillcolor: `${color}2e`,
    line: { width: 0 },
    hoverinfo: "skip",
  };
}

function layout(one, times, ink, width) {
  const axis = {
    gridcolor: ink("grid"),
    zeroline: false,
    linecolor: ink("grid"),
    tickfont: { color: ink("soft"), size: 12 },
    automargin: true,
    fixedrange: false,
  };
  return {
    uirevision: `${one.series} ${one.past?.lead}`, // a zoom outlives the next observation
    showlegend: false,
    hovermode: "x unified",
    dragmode: "zoom",
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", color: ink("ink") },
    hoverlabel: { bgcolor: ink("card"), bordercolor: ink("grid"), font: { color: ink("ink"), size: 13 } },
    margin: { l: 8, r: 8, t: 8, b: 8 },
    xaxis: {
      ...axis,
      type: "date",
      showgrid: false,
      spikethickness: 1,
      spikecolor: ink("soft"),
      tickangle: 0,
      nticks: Math.max(3, Math.floor(width / 130)),
    },
    yaxis: {
      ...axis,
      fixedrange: true,
      nticks: 6,
      title: { text: plain(axisTitle(one)), standoff: 6, font: { size: 12, color: ink("soft") } },
      ...places(one),
    },
    shapes: [
      {
        type: "line",
        xref: "x",
        yref: "paper",
        x0: times([one.origin_ms])[0],
        x1: times([one.origin_ms])[0],
        y0: 0,
        y1: 1,
        line: { color: ink("soft"), width: 1, dash: "dot" },
      },
    ],
  };
}

function axisTitle(one) {
  return one.type === "boolean" ? "chance of 1" : one.unit;
}

// Words instead of numbers beside the axis; of an angle, quarters of the way round, and beyond its ends again.
function places(one) {
  if (one.classes)
    return {
      tickvals: one.classes.map((_, place) => place),
      ticktext: one.classes.map(plain),
      range: [-0.4, one.classes.length - 0.6],
    };
  if (!one.turn) return {};
  const quarters = Array.from({ length: 13 }, (_, i) => i - 4);
  return {
    tickvals: quarters.map((quarter) => (quarter * one.turn) / 4),
    ticktext: quarters.map((quarter) => number((((quarter + 4) % 4) * one.turn) / 4)),
  };
}

function explain(legend, one) {
  const levels = banded(one).toReversed().map(level).join(" and ");
  const rows = [
    one.values ? ["observed", "observed"] : null,
    one.fan.yhat.some((value) => value !== null) ? ["next", levels ? `forecast now, with its ${levels} intervals` : "forecast now"] : null,
    one.past?.yhat.length
      ? ["past", `forecast made ${duration(one.past.lead * one.step_s)} before${levels ? ", with its intervals" : ""}`]
      : null,
  ].filter(Boolean);
  legend.replaceChildren(...rows.map(([kind, text]) => element("li", { className: kind }, text)));
}

// Plotly reads some markup in texts; a unit is none.
function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "% {");
}
