// Numbers, times and states as a person reads them, and elements made from text only (never from markup).

const DASH = "–";
const STEPS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
  ["ms", 0.001],
];

export const STATES = {
  warming: "Warming up: too few observations to say anything honest yet.",
  active: "The learned forecast is published: LSTM cells and simple experts, weighed by how right they have been.",
  fallback: "At most leads naive forecasts have been better so far, and have most of the weight.",
  stale: "Nothing has come for longer than this stream's gap.",
  gap: "The newest value is missing: forecasts go on from those before it.",
  quarantined:
    "The newest readings are not believed: far beyond all others, or the same again and again. Forecasts go on without them.",
  frozen: "Somebody has frozen it: forecasts go on, the weights of its cells stay as they are.",
  paused: "Somebody has paused it: its readings are dropped and counted, and nothing is forecast.",
};

// `digits` significant ones, but never fewer than stand before the point; `fixed` keeps zeros at the end.
export function number(value, digits = 4, fixed = false) {
  if (value === null || value === undefined) return DASH;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(digits - 1).replace("-", "−");
  const decimals = size ? Math.max(0, digits - 1 - Math.floor(Math.log10(size))) : 0;
  return value
    .toLocaleString("en", { maximumFractionDigits: decimals, minimumFractionDigits: fixed ? decimals : 0 })
    .replace("-", "−");
}

export function withUnit(value, unit) {
  return value === null || value === undefined || !unit ? number(value) : `${number(value)} ${unit}`;
}

// A value that came, as a person reads it; of a category, the word.
export function worded(value, one, unit = one.unit) {
  return one.classes ? (one.classes[value] ?? DASH) : withUnit(value, unit);
}

// What is forecast of it: of a truth value, how likely 1 is.
export function wordedForecast(value, one, unit = one.unit) {
  return one.type === "boolean" ? percent(value) : worded(value, one, unit);
}

// An interval's ends; of a truth value, the values it holds.
export function between(lower, upper, one) {
  if (one.type === "boolean") return lower === upper ? number(lower) : `${number(lower)} or ${number(upper)}`;
  if (!one.turn) return `${number(lower)} to ${number(upper)}`;
  if (upper - lower >= one.turn) return "any direction";
  return `${number(around(lower, one.turn))} to ${number(around(upper, one.turn))}`;
}

function around(value, turn) {
  return ((value % turn) + turn) % turn;
}

export function count(value) {
  return value.toLocaleString("en");
}

export function signedPercent(ratio) {
  if (ratio === null || ratio === undefined) return DASH;
  if (ratio < -9.99) return "< −999 %";
  const percent = Math.round(100 * ratio);
  return `${percent > 0 ? "+" : percent < 0 ? "−" : ""}${Math.abs(percent)} %`;
}

export function percent(ratio, decimals = 0) {
  return ratio === null || ratio === undefined ? DASH : `${(100 * ratio).toFixed(decimals)} %`;
}

export function level(text) {
  return `${+(100 * Number(text)).toFixed(4)} %`;
}

export function duration(seconds) {
  const [unit, size] = STEPS.find(([, size]) => seconds >= size * 0.9995) ?? STEPS.at(-1);
  return `${+(seconds / size).toPrecision(3)} ${unit}`;
}

export function bytes(value) {
  const power = value > 0 ? Math.min(3, Math.floor(Math.log2(value) / 10)) : 0;
  return `${+(value / 1024 ** power).toPrecision(3)} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

export function moment(ms) {
  const short = {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  };
  const date = new Date(ms);
  if (date.getSeconds() === 0) delete short.second;
  if (Math.abs(Date.now() - ms) > 180 * 86400e3) short.year = "numeric";
  return date.toLocaleString("en-GB", short);
}

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Write only what differs: an unchanged page is not laid out again.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A list of figures <dl>: [term, value, note?, hint?] each; its nodes are kept from one call to the next.
export function figures(node, rows) {
  while (node.children.length > rows.length) node.lastChild.remove();
  rows.forEach(([term, value, note, hint], at) => {
    if (!node.children[at])
      node.append(element("div", {}, element("dt"), element("dd", {}, element("b"), element("small"))));
    const [dt, dd] = node.children[at].children;
    say(dt, term);
    say(dd.children[0], value);
    say(dd.children[1], note ?? "");
    if (node.children[at].title !== (hint ?? "")) node.children[at].title = hint ?? "";
  });
}
