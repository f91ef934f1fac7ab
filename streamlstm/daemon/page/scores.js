// Skill and coverage per lead, as a table with bars around zero and around the nominal level.

import { duration, element, level, number, percent, say, signedPercent } from "./text.js";

const BAND = 0.1; // coverage bars end this far from the nominal level
let layout = ""; // of the table that stands

export function showScores(node, one) {
  const wanted = JSON.stringify([one.series, one.leads, one.levels, one.step_s, one.unit, one.type]);
  if (wanted !== layout) {
    layout = wanted;
    node.replaceChildren(...table(one));
  }
  const { persistence, seasonal, absolute_error: error, coverage } = one.scores;
  const levels = told(one);
  [...node.querySelectorAll("tbody tr")].forEach((row, i) => {
    const cells = [...row.children].slice(1);
    bar(cells[0], signedPercent(persistence[i]), persistence[i]);
    bar(cells[1], signedPercent(seasonal[i]), seasonal[i]);
    say(cells[2], number(error[i], 3, true));
    levels.forEach((nominal, q) => {
      const share = coverage[nominal][i];
      bar(cells[3 + q], percent(share, 1), share === null ? null : (share - Number(nominal)) / BAND);
    });
    say(cells.at(-1), one.fan.yhat[i] === null ? "–" : one.fan.naive[i] ? "naive" : "blend");
  });
}

// The levels whose coverage is known: a category has no intervals, and of an angle it is not told.
function told(one) {
  return one.classes || one.turn ? [] : one.levels;
}

function table(one) {
  const levels = told(one);
  const chances = one.classes || one.type === "boolean";
  const measure = chances ? "Brier’s score" : "MAE";
  const head = [
    ["ahead", "", "How far ahead the forecast is made"],
    ["skill against persistence", "wide", `1 − ${measure} / ${measure} of persistence`],
    ["skill against seasonal naive", "wide", `1 − ${measure} / ${measure} of the seasonal naive forecast`],
    chances
      ? [measure, "", "Mean square of the probability less what came; of a category, summed over its words"]
      : [`mean error${one.unit ? `, ${one.unit}` : ""}`, "", "Mean absolute error of what was published"],
    ...levels.map((nominal) => [
      `inside ${level(nominal)}`,
      "wide",
      `Share of observations inside the ${level(nominal)} interval`,
    ]),
    ["published", "", "Whether naive forecasts have most of the weight in what is published at this lead"],
  ];
  const row = (steps) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, duration(steps * one.step_s)),
      ...head
        .slice(1)
        .map(([, kind]) =>
          element(
            "td",
            { className: kind },
            ...(kind ? [element("span"), element("i", { className: "bar" }, element("i"))] : []),
          ),
        ),
    );
  return [
    element("h3", {}, "How good it has been"),
    element(
      "div",
      { className: "scroll" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            ...head.map(([text, kind, hint]) => element("th", { scope: "col", className: kind, title: hint }, text)),
          ),
        ),
        element("tbody", {}, ...one.leads.map(row)),
      ),
    ),
    element(
      "p",
      { className: "note" },
      "Over all observations so far, each forecast scored before its value was learned from. Skill above 0 is better than the naive forecast.",
      levels.length ? element("span", { className: "roomy" }, " The bars of coverage start at the nominal level.") : "",
    ),
  ];
}

// A bar from the middle, to the right above zero; `value` 1 fills its half.
function bar(cell, text, value) {
  say(cell.children[0], text);
  const fill = cell.children[1].children[0];
  const length = value === null ? 0 : Math.max(-1, Math.min(1, value));
  fill.className = length < 0 ? "below" : "above";
  fill.style.setProperty("left", `${50 + 50 * Math.min(0, length)}%`);
  fill.style.setProperty("width", `${50 * Math.abs(length)}%`);
}
