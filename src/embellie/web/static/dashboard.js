// Draws the figures of a page from the data embedded in it, and keeps the page current.
// Every figure is also said in a sentence and in a table by the server: without this script nothing is lost.

/* global Plot, d3 */

const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const SCENARIOS = new Set(["status_quo", "heuristic", "ml", "stable", "canary"]);
const ALIAS = { stable: "status_quo", canary: "heuristic" };

/* ---- numbers ------------------------------------------------------------------------------------------------- */

const percent = (digits, sign = "auto") => {
  const format = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits, signDisplay: sign });
  return (value) => format.format(value);
};

const money = (currency) => {
  const format = new Intl.NumberFormat(language, {
    style: "currency", currency: currency || "EUR", notation: "compact", maximumSignificantDigits: 3,
  });
  return (value) => format.format(Math.abs(value) < 1e-9 ? 0 : value);
};

const count = (value) => new Intl.NumberFormat(language, { notation: "compact" }).format(value);

const tone = (name, index = 0) => (SCENARIOS.has(name) ? `var(--${ALIAS[name] ?? name})` : `var(--tone-${index % 10})`);

// A scenario of someone's own has a colour by its place, as on the server; the baseline is grey.
const scenarioTone = (name, index) => (SCENARIOS.has(name) ? tone(name) : `var(--tone-${index ? [0, 2, 3, 4, 5, 6, 7, 8, 9][(index - 1) % 9] : 1})`);

/* ---- text ---------------------------------------------------------------------------------------------------- */

const measure = document.createElement("canvas").getContext("2d");
const widthOf = (text, font = "13px 'Source Sans', sans-serif") => {
  measure.font = font;
  return measure.measureText(text).width;
};

function wrap(text, width, lines = 3) {
  const found = [""];
  for (const word of String(text).split(" ")) {
    const longer = found.at(-1) ? `${found.at(-1)} ${word}` : word;
    if (widthOf(longer) <= width || !found.at(-1)) found[found.length - 1] = longer;
    else found.push(word);
  }
  if (found.length > lines) {
    found.length = lines;
    found[lines - 1] = `${found[lines - 1]} …`;
  }
  return found;
}

/* ---- marks shared by the drawings ------------------------------------------------------------------------------ */

const svgDefaults = { style: { background: "transparent", fontSize: "13px" } };
const grid = { stroke: "var(--rule)", strokeOpacity: 1 };

// Ticks at round times, each with a label of its own: hours on a short span with the day at midnight, then days, months.
const ROUND = [5, 15, 30].map((minutes) => d3.utcMinute.every(minutes))
  .concat([1, 3, 6, 12].map((hours) => d3.utcHour.every(hours)), [d3.utcDay, d3.utcDay.every(2), d3.utcMonday], [1, 3, 6].map((months) => d3.utcMonth.every(months)), d3.utcYear);

function timeTicks(points, width) {
  const [first, last] = d3.extent(points, (point) => new Date(point.at));
  const most = Math.max(3, Math.floor(width / 75));
  const found = ROUND.find((step) => step.range(first, last).length <= most) ?? d3.utcYear;
  const ticks = found.range(first, last);
  const format = (options) => new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC" }).format;
  const [hour, day, month] = [{ hour: "2-digit", minute: "2-digit" }, { day: "numeric", month: "short" }, { month: "short", year: "numeric" }].map(format);
  const midnight = (at) => +d3.utcDay.floor(at) === +at;
  const long = ticks.length > 1 && ticks.at(-1) - ticks[0] >= 28 * 864e5 * (ticks.length - 1);
  return { type: "utc", label: null, ticks, tickFormat: (at) => (long ? month(at) : midnight(at) ? day(at) : hour(at)) };
}

/* ---- drawings -------------------------------------------------------------------------------------------------- */

function dots(data, width) {
  const format = money(data.currency);
  const all = [0, ...data.rows.flatMap((row) => row.dots), ...data.rows.map((row) => row.mean)];
  const [low, high] = d3.extent(all);
  const pad = (high - low || 1) * 0.06;
  const margin = { left: 8, right: 8 };
  const x = d3.scaleLinear([low - pad, high + pad], [margin.left, width - margin.right]);
  const zero = x(0);
  // Dots are stacked where they would touch, in columns one dot wide; smaller ones when a column would tower.
  const stack = (radius) => data.rows.flatMap((row) => {
    const columns = new Map();
    return (row.certain ? [row.mean] : row.dots).map((value) => {
      const column = Math.round((x(value) - zero) / (2 * radius));
      const level = columns.get(column) ?? 0;
      columns.set(column, level + 1);
      return { row, value, cx: zero + column * 2 * radius, level };
    });
  });
  let radius = Math.max(5, Math.min(11, width / 54));
  while (radius > 3.5 && d3.max(stack(radius), (dot) => dot.level) > 6) radius -= 0.5;
  const stacked = stack(radius);
  const rowHeights = data.rows.map((row) => 46 + 2 * radius * (1 + (d3.max(stacked.filter((dot) => dot.row === row), (dot) => dot.level) ?? 0)));
  const height = d3.sum(rowHeights) + 34;
  const svg = d3.create("svg").attr("viewBox", [0, 0, width, height]).attr("width", width).attr("height", height);
  const bottom = d3.sum(rowHeights);
  for (const tick of x.ticks(Math.max(3, Math.floor(width / 110)))) {
    if (Math.abs(x(tick) - width / 2) > width / 2 - widthOf(format(tick)) / 2) continue;
    svg.append("line").attr("x1", x(tick)).attr("x2", x(tick)).attr("y1", bottom).attr("y2", bottom + 5).attr("stroke", "var(--soft)");
    svg.append("text").attr("x", x(tick)).attr("y", bottom + 20).attr("text-anchor", "middle").text(format(tick));
  }
  svg.append("line").attr("x1", zero).attr("x2", zero).attr("y1", 4).attr("y2", bottom).attr("stroke", "var(--soft)").attr("stroke-dasharray", "2 3");
  let base = 0;
  data.rows.forEach((row, index) => {
    base += rowHeights[index];
    const fill = scenarioTone(row.scenario, index);
    svg.append("line").attr("x1", margin.left).attr("x2", width - margin.right).attr("y1", base).attr("y2", base).attr("stroke", "var(--rule)");
    const label = svg.append("text").attr("x", margin.left).attr("y", base - rowHeights[index] + 20).attr("class", "strong halo").attr("font-size", 15);
    label.append("tspan").attr("font-weight", 600).text(row.label);
    label.append("tspan").attr("dx", 8).attr("fill", "var(--soft)").attr("font-size", 13.5).text(`${row.text} ${row.certain ? "" : data.mean}`);
    svg.append("g").attr("fill", fill).selectAll("circle").data(stacked.filter((dot) => dot.row === row)).join("circle")
      .attr("cx", (dot) => dot.cx).attr("cy", (dot) => base - radius - 1 - dot.level * 2 * radius).attr("r", radius - 0.8)
      .attr("fill-opacity", (dot) => (dot.value < -1e-9 ? 0.42 : 1));
    if (!row.certain) {
      const at = x(row.mean);
      svg.append("path").attr("d", `M${at},${base + 1}l-5.5,8h11z`).attr("fill", "var(--ink)");
    }
  });
  return svg.node();
}

function burndown(data, width) {
  const points = data.points.map((point) => ({ ...point, at: new Date(point.at) }));
  const format = money(data.currency);
  const changes = data.changes.map((change) => ({ ...change, at: new Date(change.at) }));
  const last = points.at(-1);
  // Of changes close together, only the later one is named.
  const near = 0.2 * (last.at - points[0].at);
  const named = changes.filter((change, place) => place === changes.length - 1 || changes[place + 1].at - change.at > near);
  const late = (change) => change.at - points[0].at > 0.8 * (last.at - points[0].at);
  const right = 16 + widthOf(data.text, "600 15px 'Source Sans'");
  return Plot.plot({
    ...svgDefaults, width, height: Math.min(300, Math.max(210, width * 0.5)), marginLeft: 54, marginRight: right, marginTop: 26,
    x: timeTicks(points, width), y: { label: null, ticks: 4, tickFormat: format, domain: [0, 1.08 * d3.max(points, (point) => point.evpi) || 1] },
    marks: [
      Plot.gridY({ ...grid, ticks: 4 }),
      Plot.areaY(points, { x: "at", y: "evpi", curve: "step-after", fill: "var(--accent)", fillOpacity: 0.13 }),
      Plot.lineY(points, { x: "at", y: "evpi", curve: "step-after", stroke: "var(--accent)", strokeWidth: 2.2 }),
      Plot.dot(changes, { x: "at", y: "evpi", r: 4.5, fill: "var(--paper)", stroke: "var(--accent)", strokeWidth: 2 }),
      ...["middle", "end"].map((textAnchor) => Plot.text(named.filter((change) => (late(change) ? "end" : "middle") === textAnchor), {
        x: "at", y: "evpi", text: "label", textAnchor, dy: -14, fill: "var(--ink)", fontWeight: 600, stroke: "var(--paper)", strokeWidth: 4,
      })),
      Plot.dot([last], { x: "at", y: "evpi", r: 4, fill: "var(--accent)" }),
      Plot.text([last], { x: "at", y: "evpi", text: () => data.text, textAnchor: "start", dx: 9, fontSize: 15, fontWeight: 600, fill: "var(--ink)" }),
      Plot.ruleY([0], { stroke: "var(--soft)" }),
    ],
  });
}

function effect(data, width) {
  const points = data.points.map((point) => ({ ...point, at: new Date(point.at) }));
  // The first looks, with hardly a reader, would flatten all the rest: the scale fits the later three quarters.
  const settled = points.slice(Math.floor(points.length / 4));
  const margin = data.margin?.at ?? 0;
  const [low, high] = [Math.min(0, margin, d3.min(settled, (point) => point.low)), Math.max(0, d3.max(settled, (point) => point.high))];
  const room = 0.12 * Math.max(0.01, high - low);
  const domain = [low - room, high + room];
  const last = points.at(-1);
  const digits = high - low > 0.15 ? 0 : 1;
  const planned = data.planned && { at: new Date(data.planned.at), text: data.planned.text };
  const ahead = planned && planned.at > last.at;
  const span = ahead ? [...points, planned] : points;
  const right = ahead ? 20 : 16 + widthOf(data.text, "600 15px 'Source Sans'");
  const looks = (data.looks ?? []).map((at) => new Date(at)).filter((at) => at <= span.at(-1).at);
  const colour = tone(data.variant, 0);
  const halo = { stroke: "var(--paper)", strokeWidth: 4 };
  return Plot.plot({
    ...svgDefaults, width, height: Math.min(300, Math.max(210, width * 0.5)), marginLeft: 54, marginRight: right, marginTop: planned ? 30 : 18,
    x: { ...timeTicks(span, width), domain: [points[0].at, span.at(-1).at] }, y: { label: null, ticks: 5, tickFormat: percent(digits, "exceptZero"), domain },
    marks: [
      Plot.gridY({ ...grid, ticks: 5 }),
      Plot.areaY(points, { x: "at", y1: "low", y2: "high", fill: colour, fillOpacity: 0.2, curve: "monotone-x", clip: true }),
      Plot.ruleY([0], { stroke: "var(--ink)", strokeWidth: 1.2 }),
      margin ? Plot.ruleY([margin], { stroke: "var(--warn)", strokeDasharray: "5 3" }) : null,
      margin ? Plot.text([points[0]], { x: "at", y: margin, text: () => data.margin.text, textAnchor: "start", dx: 4, dy: -9, fill: "var(--warn)", ...halo }) : null,
      looks.length ? Plot.ruleX(looks, { y1: domain[0], y2: domain[0] + 0.6 * room, stroke: "var(--soft)", strokeWidth: 2 }) : null,
      planned && Plot.ruleX([planned], { x: "at", stroke: "var(--soft)", strokeDasharray: "2 3" }),
      planned && Plot.text([planned], { x: "at", text: "text", frameAnchor: "top", textAnchor: planned.at - points[0].at > 0.6 * (span.at(-1).at - points[0].at) ? "end" : "middle", dy: -14, fill: "var(--soft)" }),
      Plot.lineY(points, { x: "at", y: "effect", stroke: colour, strokeWidth: 2.4, curve: "monotone-x", clip: true }),
      Plot.text([span.at(-1)], { x: "at", y: 0, text: () => data.zero, textAnchor: "end", dy: low < -room ? 10 : -8, dx: -4, fill: "var(--ink)", ...halo }),
      Plot.ruleX([last], { x: "at", y1: "low", y2: "high", stroke: colour, strokeWidth: 2 }),
      Plot.dot([last], { x: "at", y: "effect", r: 4.5, fill: colour }),
      Plot.text([last], { x: "at", y: "effect", text: () => data.text, textAnchor: "start", dx: 10, dy: Math.abs(last.effect) < 0.06 * (high - low) ? -12 : 0, fontSize: 15, fontWeight: 600, fill: "var(--ink)", ...halo }),
    ],
  });
}

// The effect by days since a reader's first exposure: a point and its interval each.
function since(data, width) {
  const [low, high] = [Math.min(0, d3.min(data.points, (point) => point.low)), Math.max(0, d3.max(data.points, (point) => point.high))];
  const room = 0.08 * Math.max(0.01, high - low);
  const colour = tone(data.variant, 0);
  const days = data.points.map((point) => point.day);
  const most = Math.max(2, Math.floor(width / 48));
  const step = Math.ceil(days.length / most);
  return Plot.plot({
    ...svgDefaults, width, height: Math.min(290, Math.max(210, width * 0.5)), marginLeft: 54, marginRight: 14, marginBottom: 42,
    x: { label: data.axis, labelArrow: "none", labelAnchor: "center", domain: [d3.min(days) - 0.5, d3.max(days) + 0.5], ticks: days.filter((_, place) => place % step === 0), tickFormat: String },
    y: { label: null, ticks: 5, tickFormat: percent(high - low > 0.15 ? 0 : 1, "exceptZero"), domain: [low - room, high + room] },
    marks: [
      Plot.gridY({ ...grid, ticks: 5 }),
      Plot.ruleY([0], { stroke: "var(--ink)", strokeWidth: 1.2 }),
      Plot.lineY(data.points, { x: "day", y: "effect", stroke: colour, strokeOpacity: 0.5 }),
      Plot.ruleX(data.points, { x: "day", y1: "low", y2: "high", stroke: colour, strokeWidth: 3.5, strokeOpacity: 0.45 }),
      Plot.dot(data.points, { x: "day", y: "effect", r: 4.5, fill: colour, stroke: "var(--paper)", strokeWidth: 1.5 }),
    ],
  });
}

function units(data, width) {
  const points = data.points.map((point) => ({ ...point, at: new Date(point.at) }));
  const order = data.variants.map((variant) => variant.name);
  const colour = (name) => scenarioTone(name, order.indexOf(name));
  const node = Plot.plot({
    ...svgDefaults, width, height: Math.min(260, Math.max(190, width * 0.42)), marginLeft: 48, marginRight: 14,
    x: timeTicks(points, width), y: { label: null, ticks: 4, tickFormat: count, domain: [0, 1.05 * d3.max(points, (point) => point.count) || 1] },
    marks: [
      Plot.gridY({ ...grid, ticks: 4 }),
      Plot.lineY(points, { x: "at", y: "count", z: "variant", stroke: (point) => colour(point.variant), strokeWidth: 2.2 }),
      Plot.dot(points.slice(-order.length), { x: "at", y: "count", r: 4, fill: (point) => colour(point.variant) }),
      Plot.ruleY([0], { stroke: "var(--soft)" }),
    ],
  });
  return keyed(node, data.variants.map((variant) => [variant.label, colour(variant.name)]));
}

// Rows with their label above: long questions stay readable on a phone.
function rowsOf(data, width, rowHeight, draw) {
  const lines = data.rows.map((row) => wrap(row.label, width - widthOf(row.text ?? "", "600 14px 'Source Sans'") - 24, 2));
  const heights = lines.map((each) => each.length * 17 + rowHeight);
  const height = d3.sum(heights);
  const svg = d3.create("svg").attr("viewBox", [0, 0, width, height]).attr("width", width).attr("height", height);
  let top = 0;
  data.rows.forEach((row, index) => {
    const group = svg.append("g").attr("transform", `translate(0,${top})`);
    const label = group.append("text").attr("class", "strong").attr("font-size", 14);
    lines[index].forEach((line, place) => label.append("tspan").attr("x", 0).attr("y", 15 + place * 17).text(line));
    if (row.text) group.append("text").attr("class", "strong").attr("x", width).attr("y", 15).attr("text-anchor", "end").attr("font-size", 14).attr("font-weight", 600).text(row.text);
    draw(group, row, lines[index].length * 17 + 6, index);
    top += heights[index];
  });
  return svg.node();
}

function worth(data, width) {
  const x = d3.scaleLinear([0, data.top || 1], [0, width]).clamp(true);
  const node = rowsOf(data, width, 30, (group, row, y) => {
    group.append("rect").attr("y", y).attr("width", width).attr("height", 10).attr("rx", 2).attr("fill", "var(--faint)");
    group.append("rect").attr("y", y).attr("width", Math.max(1.5, x(Math.max(0, row.value)))).attr("height", 10).attr("rx", 2).attr("fill", row.open ? "var(--accent)" : "var(--status_quo)");
    const [low, high] = [x(Math.max(0, row.value - row.error)), x(row.value + row.error)];
    if (high - low > 3) group.append("path").attr("d", `M${low},${y + 5}H${high}M${low},${y + 1}v8M${high},${y + 1}v8`).attr("stroke", "var(--ink)").attr("fill", "none");
  });
  if (!data.rest) return node;
  const holder = document.createElement("div");
  const rest = document.createElement("p");
  rest.className = "note";
  rest.textContent = data.rest;
  holder.append(node, rest);
  return holder;
}

function ranges(data, width) {
  const node = rowsOf(data, width, 36, (group, row, y) => {
    const low = Math.min(row.prior.p05, row.posterior.p05), high = Math.max(row.prior.p95, row.posterior.p95);
    const x = d3.scaleLinear([low, high === low ? low + 1 : high], [4, width - 4]);
    const bar = (spread, height, fill) => group.append("rect").attr("x", x(spread.p05)).attr("width", Math.max(3, x(spread.p95) - x(spread.p05)))
      .attr("y", y + 7 - height / 2).attr("height", height).attr("rx", height / 2).attr("fill", fill);
    bar(row.prior, 14, "var(--accent-soft)");
    bar(row.posterior, row.changed ? 8 : 4, row.changed ? "var(--accent)" : "var(--status_quo)");
    group.append("circle").attr("cx", x(row.posterior.p50)).attr("cy", y + 7).attr("r", 4.5).attr("fill", "var(--paper)").attr("stroke", "var(--ink)").attr("stroke-width", 2);
    if (low < 0 && high > 0) group.append("line").attr("x1", x(0)).attr("x2", x(0)).attr("y1", y - 3).attr("y2", y + 17).attr("stroke", "var(--soft)").attr("stroke-dasharray", "2 2");
  });
  return keyed(node, [[data.prior, "var(--accent-soft)"], [data.posterior, "var(--accent)"]]);
}

function intervals(data, width) {
  const ends = data.rows.flatMap((row) => [row.low, row.high, row.mark ?? 0, row.ghost?.low ?? 0, row.ghost?.high ?? 0]);
  const [low, high] = d3.extent([0, ...ends]);
  const room = 0.12 * (data.currency ? high - low : Math.max(0.01, high - low));
  const x = d3.scaleLinear([low - room, high + room], [6, width - 6]);
  const format = data.currency ? money(data.currency) : percent(high - low > 0.1 ? 0 : 1, "exceptZero");
  const ghosts = data.rows.some((row) => row.ghost);
  const node = rowsOf(data, width, ghosts ? 46 : 36, (group, row, y) => {
    const clear = row.clear;
    const colour = row.proxy ? "var(--status_quo)" : tone(row.variant, 0);
    const line = (from, to, at) => group.append("line").attr("x1", x(from)).attr("x2", x(to)).attr("y1", at).attr("y2", at).attr("stroke", colour);
    group.append("line").attr("x1", 0).attr("x2", width).attr("y1", y + 8).attr("y2", y + 8).attr("stroke", "var(--faint)");
    group.append("line").attr("x1", x(0)).attr("x2", x(0)).attr("y1", y - 4).attr("y2", y + (row.ghost ? 28 : 20)).attr("stroke", "var(--ink)");
    if (row.bar) group.append("rect").attr("x", Math.min(x(0), x(row.effect))).attr("width", Math.max(1, Math.abs(x(row.effect) - x(0)))).attr("y", y).attr("height", 16).attr("fill", colour).attr("fill-opacity", 0.3);
    line(row.low, row.high, y + 8).attr("stroke-width", row.bar ? 2 : clear ? 6 : 4).attr("stroke-linecap", "round").attr("stroke-opacity", clear || row.bar ? 1 : 0.55);
    if (row.mark !== undefined) group.append("line").attr("x1", x(row.mark)).attr("x2", x(row.mark)).attr("y1", y - 6).attr("y2", y + 22).attr("stroke", "var(--warn)").attr("stroke-width", 2).attr("stroke-dasharray", "4 2");
    if (row.ghost) {
      line(row.ghost.low, row.ghost.high, y + 22).attr("stroke-width", 1.5).attr("stroke-opacity", 0.7);
      group.append("circle").attr("cx", x(row.ghost.effect)).attr("cy", y + 22).attr("r", 3).attr("fill", "var(--paper)").attr("stroke", colour).attr("stroke-width", 1.5);
    }
    group.append("circle").attr("cx", x(row.effect)).attr("cy", y + 8).attr("r", 6).attr("fill", row.proxy ? "var(--paper)" : colour).attr("stroke", row.proxy ? colour : "var(--paper)").attr("stroke-width", 2);
  });
  return withAxis(node, x, format, width, data.zero);
}

function withAxis(node, x, format, width, zero) {
  const svg = d3.select(node);
  const height = Number(svg.attr("height"));
  svg.attr("height", height + 26).attr("viewBox", [0, 0, width, height + 26]);
  for (const tick of x.ticks(Math.max(3, Math.floor(width / 120)))) {
    if (tick !== 0 && Math.abs(x(tick) - x(0)) < 70) continue;
    svg.append("text").attr("x", x(tick)).attr("y", height + 14).attr("text-anchor", Math.abs(x(tick) - width) < 24 ? "end" : x(tick) < 24 ? "start" : "middle").text(tick === 0 ? zero : format(tick));
  }
  return node;
}

function keyed(node, entries) {
  const holder = document.createElement("div");
  const key = holder.appendChild(document.createElement("div"));
  key.className = "key";
  for (const [label, colour] of entries) {
    const entry = key.appendChild(document.createElement("span"));
    entry.appendChild(document.createElement("i")).style.background = colour;
    entry.append(label);
  }
  holder.append(node);
  return holder;
}

function studies(data, width) {
  const format = money(data.currency);
  const labels = [...new Set(data.points.map((point) => point.label))];
  const colour = (label) => `var(--tone-${labels.indexOf(label) % 10})`;
  const timed = data.points.some((point) => point.weeks > 0);
  const [low, high] = d3.extent([0, ...data.points.map((point) => point.enbs)]);
  const best = data.points.filter((point) => point.best);
  const room = (high - low || 1) * 0.12;
  const node = Plot.plot({
    ...svgDefaults, width, height: Math.min(320, Math.max(230, width * 0.55)), marginLeft: 58, marginTop: 24, marginRight: 20, marginBottom: 40,
    x: timed ? { label: data.weeks, labelArrow: "none", labelAnchor: "center", ticks: [...new Set(data.points.map((point) => point.weeks))], tickFormat: count, inset: 14 } : { axis: null, inset: 30 },
    y: { label: null, ticks: 5, tickFormat: format, domain: [low - room, high + room] },
    marks: [
      Plot.gridY({ ...grid, ticks: 5 }),
      Plot.ruleY([0], { stroke: "var(--ink)" }),
      Plot.lineY(data.points.slice().sort((a, b) => a.weeks - b.weeks), { x: "weeks", y: "enbs", z: "label", stroke: (point) => colour(point.label), strokeWidth: 2 }),
      Plot.ruleX(data.points, { x: "weeks", y1: (point) => point.enbs - point.error, y2: (point) => point.enbs + point.error, stroke: (point) => colour(point.label) }),
      Plot.dot(data.points, { x: "weeks", y: "enbs", r: (point) => (point.best ? 7 : 4.5), fill: (point) => colour(point.label), stroke: "var(--paper)", strokeWidth: 1.5 }),
      Plot.text(best, { x: "weeks", y: "enbs", text: "text", dy: -16, fontWeight: 600, fontSize: 14, fill: "var(--ink)", stroke: "var(--paper)", strokeWidth: 4 }),
    ],
  });
  return keyed(node, labels.map((label) => [label, colour(label)]));
}

function traffic(data, width) {
  const order = data.kinds.map((kind) => kind.kind);
  const points = data.points.map((point) => ({ ...point, at: new Date(point.at) }));
  const times = [...new Set(points.map((point) => +point.at))];
  const filled = new Map(points.map((point) => [`${+point.at} ${point.kind}`, point.count]));
  const dense = times.flatMap((at) => order.map((kind) => ({ at: new Date(at), kind, count: filled.get(`${at} ${kind}`) ?? 0 })));
  const colour = (kind) => ({ served: "var(--tone-1)", impression: "var(--tone-0)", click: "var(--tone-2)", read: "var(--tone-3)", conversion: "var(--tone-5)" })[kind] ?? "var(--tone-4)";
  const node = Plot.plot({
    ...svgDefaults, width, height: Math.min(320, Math.max(210, width * 0.34)), marginLeft: 46, marginRight: 14,
    x: timeTicks(points, width), y: { label: null, ticks: 4, tickFormat: count },
    marks: [
      Plot.gridY({ ...grid, ticks: 4 }),
      Plot.areaY(dense, Plot.stackY({ order }, { x: "at", y: "count", z: "kind", fill: (point) => colour(point.kind), curve: "monotone-x", fillOpacity: 0.85 })),
      Plot.ruleY([0], { stroke: "var(--soft)" }),
    ],
  });
  return keyed(node, data.kinds.map((kind) => [kind.label, colour(kind.kind)]));
}

function popular(data, width) {
  const sections = [...new Set(data.rows.map((row) => row.section))];
  const colour = (row) => `var(--tone-${sections.indexOf(row.section) % 10})`;
  const x = d3.scaleLinear([0, 1], [0, width]);
  const node = rowsOf({ rows: data.rows }, width, 21, (group, row, y) => {
    group.append("rect").attr("y", y - 1).attr("width", Math.max(2, x(row.value))).attr("height", 6).attr("rx", 2).attr("fill", colour(row));
  });
  return keyed(node, sections.map((section) => [section || "–", colour({ section })]));
}

const DRAWINGS = { dots, burndown, effect, worth, ranges, intervals, since, studies, traffic, popular, units };

/* ---- the page -------------------------------------------------------------------------------------------------- */

let figures = JSON.parse(document.getElementById("figures").textContent);

function draw(holder) {
  const figure = figures[holder.dataset.figure];
  const drawing = figure && DRAWINGS[figure.drawing];
  const width = Math.floor(holder.clientWidth);
  if (!drawing || !width) return;
  holder.dataset.width = width;
  const node = drawing(figure.data, width);
  for (const svg of node.matches("svg") ? [node] : node.querySelectorAll("svg")) {
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("focusable", "false");
  }
  holder.replaceChildren(node);
}

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) if (Math.floor(target.clientWidth) !== Number(target.dataset.width)) draw(target);
});

function drawAll(root = document) {
  for (const holder of root.querySelectorAll(".plot[data-figure]")) {
    draw(holder);
    resized.observe(holder);
  }
}

// What the server last wrote, by region: a region is replaced only when its words or its data changed.
const written = new Map();
const regionsOf = (root) => [...root.querySelectorAll("[data-live]")];

function remember(root, data) {
  for (const region of regionsOf(root)) written.set(region.dataset.live, fingerprint(region, data));
}

function fingerprint(region, data) {
  const holder = region.querySelector(".plot[data-figure]");
  return region.innerHTML + (holder ? JSON.stringify(data[holder.dataset.figure]) : "");
}

function replace(region, fresh) {
  const open = [...region.querySelectorAll("details")].map((each) => each.open);
  const focused = region.contains(document.activeElement) ? [...region.querySelectorAll("a, button, summary, [tabindex]")].indexOf(document.activeElement) : -1;
  region.innerHTML = fresh.innerHTML;
  [...region.querySelectorAll("details")].forEach((each, index) => (each.open = open[index] ?? false));
  drawAll(region);
  if (focused >= 0) region.querySelectorAll("a, button, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
}

// A field being filled in is never pulled away from under the hand.
const busy = (region) => [...region.querySelectorAll("input, select")].some((field) => field === document.activeElement || (field.type !== "hidden" && field.value !== field.defaultValue && field.tagName === "INPUT"));

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const data = JSON.parse(fresh.getElementById("figures").textContent);
  figures = data;
  for (const region of regionsOf(fresh)) {
    const name = region.dataset.live;
    const mark = fingerprint(region, data);
    const here = document.querySelector(`[data-live="${CSS.escape(name)}"]`);
    if (!here || mark === written.get(name) || busy(here)) continue;
    replace(here, region);
    written.set(name, mark);
  }
}

/* ---- staying current ------------------------------------------------------------------------------------------- */

const PAUSE = still ? 10_000 : 2_500;
let due = false, working = false;

async function keepCurrent() {
  if (!due || working || document.hidden) return;
  due = false;
  working = true;
  try {
    await refresh();
  } catch {
    due = true; // the server is away: the next tick tries again
  } finally {
    working = false;
  }
}

function listen() {
  const source = new EventSource("/events");
  const pulse = document.querySelector("[data-pulse]");
  source.addEventListener("open", () => pulse && (pulse.hidden = false));
  source.addEventListener("error", () => pulse && (pulse.hidden = true));
  let known = null;
  source.addEventListener("tick", ({ data }) => {
    if (known !== null && data !== known) due = true;
    known = data;
  });
  setInterval(keepCurrent, PAUSE);
  document.addEventListener("visibilitychange", keepCurrent);
  addEventListener("pagehide", () => source.close());
}

remember(document, figures);
await Promise.race([document.fonts?.ready, new Promise((done) => setTimeout(done, 800))]);
drawAll();
document.documentElement.dataset.drawn = "yes";
listen();
