// The chosen series: in words and figures, as a chart, and its scores per lead.

import { draw, zone } from "./chart.js";
import { showScores } from "./scores.js";
import {
  between,
  count,
  duration,
  element,
  figures,
  level,
  moment,
  number,
  percent,
  say,
  STATES,
  worded,
  wordedForecast,
} from "./text.js";

const at = (id) => document.getElementById(id);
let lead = { series: "", value: 0 }; // chosen by the reader; 0: the daemon's choice

export function chosenLead(series) {
  return lead.series === series ? lead.value : 0;
}

export function onLeadChange(refresh) {
  at("lead").addEventListener("change", () => {
    lead = { series: at("name").textContent, value: Number(at("lead").value) };
    refresh();
  });
}

export function showEmpty(status, name) {
  document.title = "streamlstm";
  at("chosen").hidden = true;
  at("empty").hidden = false;
  if (name && status.series) say(at("empty"), `There is no series called ${name}.`);
  else if (status.series) say(at("empty"), "Choose a series.");
  else if (!status.ready) say(at("empty"), `Waiting until the daemon is ready: ${status.why || status.connection}.`);
  else
    say(
      at("empty"),
      "Waiting for the first observations. A series appears here with the first message that names it.",
    );
}

export function showSeries(one) {
  at("chosen").hidden = false;
  at("empty").hidden = true;
  say(at("name"), one.series);
  document.title = `${one.series} · streamlstm`;
  say(at("chip"), one.state);
  at("chip").className = `chip ${one.state}`;
  say(at("sentence"), sentence(one));
  figures(at("figures"), told(one));
  const drawable = one.leads.length > 0;
  for (const id of ["chart", "axis", "legend"]) at(id).hidden = !drawable;
  at("lead").parentNode.hidden = !one.past || one.fan.yhat.every((value) => value === null);
  at("scores").hidden = !drawable || one.scores.absolute_error.every((value) => value === null);
  if (!drawable) return;
  offerLeads(one);
  draw(at("chart"), at("legend"), one);
  say(
    at("axis"),
    `Time is ${zone(one.origin_ms)}. ${one.kept ? "" : "The past of this series has not been kept so far; it is kept from its next observation on."}`,
  );
  showScores(at("scores"), one);
}

function sentence(one) {
  const others = one.leads.filter((_, i) => one.fan.naive[i]).length;
  if (one.state === "warming") return `${STATES.warming} ${count(one.n_seen)} so far.`;
  if (one.state === "active" && others)
    return `${STATES.active} At ${others} of ${one.leads.length} leads naive forecasts have been better and have most of the weight there.`;
  return STATES[one.state];
}

function told(one) {
  const learned = [
    "learned from",
    count(one.n_seen),
    "observations",
    `${count(one.updates)} updates of the weights, ${count(one.updates_skipped)} refused; ${bytesText(one)}`,
  ];
  if (!one.leads.length) return [learned];
  const next = one.fan.yhat[0];
  const ahead = duration(one.leads[0] * one.step_s);
  return [
    ["newest", worded(one.y, one), moment(one.origin_ms)],
    [one.type === "boolean" ? `chance of 1 in ${ahead}` : `forecast ${ahead} ahead`, wordedForecast(next, one), beside(next, one)],
    [
      "surprise",
      number(one.anomaly_score, 2),
      surprise(one),
      "Of the newest value, given what was forecast for it: 0 to 1 is usual, above 1 rare",
    ],
    learned,
    ["spacing", duration(one.step_s), one.gaps ? `${count(one.gaps)} ${one.gaps === 1 ? "gap" : "gaps"}` : "no gaps"],
  ];
}

function surprise(one) {
  if (one.anomaly_score !== null) return one.anomaly_score > 1 ? "rare" : "usual";
  return { gap: "no value", quarantined: "not believed", paused: "paused" }[one.state] ?? "not known yet";
}

// How sure the nearest forecast is: its inner interval or, of a category, how likely the word is.
function beside(next, one) {
  if (next === null) return "";
  if (one.classes) return `${percent(one.fan.chances[next][0])} likely`;
  const inner = one.levels[0];
  return `${level(inner)}: ${between(one.fan.lower[inner][0], one.fan.upper[inner][0], one)}`;
}

function bytesText(one) {
  return `${(one.bytes / 1024).toFixed(0)} KiB of memory`;
}

function offerLeads(one) {
  const texts = one.leads.map((steps) => `${duration(steps * one.step_s)} ahead`);
  const now = [...at("lead").options];
  if (
    now.length !== texts.length ||
    now.some((option, i) => option.text !== texts[i] || option.value !== String(one.leads[i]))
  ) {
    at("lead").replaceChildren(...one.leads.map((steps, i) => element("option", { value: String(steps) }, texts[i])));
  }
  if (one.past && document.activeElement !== at("lead")) at("lead").value = String(one.past.lead);
}
