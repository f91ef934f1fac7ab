// Asks the daemon once a second and hands the answers on. What is shown of what: header.js, list.js, series.js.

import { showHeader, showNotice } from "./header.js";
import { showList, query, onListChange } from "./list.js";
import { showEmpty, showSeries, chosenLead, onLeadChange } from "./series.js";

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const wide = matchMedia("(min-width: 860px)");

let timer = 0;
let turn = 0; // only the newest turn may show what it read
let first = ""; // the series shown while none is chosen

function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(2));
  } catch {
    return ""; // an address cut off in the middle of a letter
  }
}

async function read(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function readSeries(name) {
  return name ? read(`/api/series/?${new URLSearchParams({ name, lead: chosenLead(name) })}`) : null;
}

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  if (!document.hidden) {
    try {
      const asked = chosen();
      const [status, list, early] = await Promise.all([
        read("/api/status"),
        read(`/api/series?${query()}`),
        readSeries(asked || first),
      ]);
      if (mine !== turn) return;
      first = list.series.some((one) => one.series === first) ? first : (list.series[0]?.series ?? first);
      const name = asked || (wide.matches || list.total === 1 ? first : "");
      const series = early?.series === name ? early : await readSeries(name);
      if (mine !== turn) return;
      document.body.dataset.view = asked ? "series" : status.series ? "list" : "empty";
      document.body.classList.toggle("single", status.series === 1 && list.total === 1);
      showHeader(status);
      showNotice("");
      showList(list, name);
      if (series) showSeries(series);
      else showEmpty(status, name);
    } catch (error) {
      if (mine === turn)
        showNotice(error.name === "TypeError" || error.name === "TimeoutError" ? "lost" : String(error));
    }
  }
  if (mine === turn) timer = setTimeout(refresh, EVERY_MS);
}

addEventListener("hashchange", () => {
  refresh();
  if (!wide.matches) scrollTo(0, 0);
});
document.addEventListener("visibilitychange", refresh);
wide.addEventListener("change", refresh);
onListChange(refresh);
onLeadChange(refresh);
refresh();
