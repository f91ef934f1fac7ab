// The line at the top: how it stands with the broker, and the counts.

import { bytes, count, duration, figures, moment, say } from "./text.js";

const at = (id) => document.getElementById(id);
let answered = 0; // when the daemon answered last

export function showHeader(status) {
  answered = Date.now();
  say(at("version"), status.version);
  pill(at("connection"), status.connected, status.connected ? "connected" : "not connected", status.connection);
  pill(at("ready"), status.ready, status.ready ? "ready" : "not ready", status.why);
  const rejected = Object.entries(status.discarded).sort((one, other) => other[1] - one[1]);
  const lost = rejected.reduce((sum, [, n]) => sum + n, 0);
  figures(at("counts"), [
    ["series", count(status.series), "", `${bytes(status.memory_bytes)} of memory for their models`],
    [
      "learned from",
      count(status.learned),
      "observations",
      `of ${count(status.received)} messages received since ${moment(status.started_ms)}; ${status.gathered ? `${count(status.gathered)} gathered into steps, ` : ""}${status.joined ? `${count(status.joined)} joined as covariates, ` : ""}${count(status.missing)} said "no value", ${status.quarantined ? `${count(status.quarantined)} were not believed, ` : ""}${count(status.held)} wait`,
    ],
    [
      "not learned from",
      count(lost),
      rejected.slice(0, 2).map(reasonText).join(", ") + (rejected.length > 2 ? ", …" : ""),
      rejected.map(reasonText).join("\n"),
    ],
    ["forecasts", count(status.published), "published"],
    [
      "delay",
      duration(status.lag_s),
      status.queue_depth ? `${count(status.queue_depth)} waiting` : "",
      "from the newest message's receipt to its forecast's publication",
    ],
  ]);
}

export function showNotice(trouble) {
  const notice = at("notice");
  notice.hidden = !trouble;
  const since = answered ? ` since ${moment(answered)}` : "";
  if (trouble)
    say(
      notice,
      trouble === "lost" ? `The daemon has not answered${since}. What you see is from then; trying again.` : trouble,
    );
}

function reasonText([reason, n]) {
  return `${reason.replaceAll("_", " ")} ${count(n)}`;
}

function pill(node, good, text, why) {
  node.className = `pill ${good ? "good" : "bad"}`;
  say(node, good || !why ? text : `${text}: ${why}`);
}
