// The side bar: how far the work is, the curve, what comes next and why.

import { element, percent } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const PHASES = {
  start: "Getting ready",
  query: "Choosing the next texts",
  wait: "Waiting for your labels",
  annotate: "Waiting for your labels",
  mix: "Mixing",
  train: "Training",
  committee: "Training",
  evaluate: "Scoring",
  save: "Saving",
  ended: "Ended",
};

export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

export function plural(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

function section(title, ...children) {
  return element("section", {}, element("h2", {}, title), ...children);
}

function line(text, kind = "") {
  return element("p", { class: kind }, text);
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The learning curve: F1 over labelled texts, with its 95 % interval as a band. */
export function curve(points) {
  const [width, height, left, bottom, top, right] = [300, 150, 30, 24, 10, 10];
  const lows = points.map((p) => p.low ?? p.f);
  const highs = points.map((p) => p.high ?? p.f);
  const floor = Math.max(0, Math.floor(10 * Math.min(...lows)) / 10);
  const ceiling = Math.min(1, Math.max(floor + 0.1, Math.ceil(10 * Math.max(...highs)) / 10));
  const most = Math.max(...points.map((p) => p.labelled));
  const least = points.length > 1 ? Math.min(...points.map((p) => p.labelled)) : 0;
  const x = (n) => left + ((n - least) / Math.max(1, most - least)) * (width - left - right);
  const y = (f) => top + (1 - (f - floor) / (ceiling - floor)) * (height - top - bottom);
  const join = (values) => values.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(" ");
  const summary = points.map((p) => `${p.labelled} texts: ${(100 * p.f).toFixed(1)}`).join("; ");
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "curve", "aria-label": `F1 on dev. ${summary}` });
  for (const f of [floor, (floor + ceiling) / 2, ceiling]) {
    picture.append(svg("line", { x1: left, x2: width - right, y1: y(f), y2: y(f), class: "grid" }));
    picture.append(svg("text", { x: left - 5, y: y(f) + 4, "text-anchor": "end" }, String(Math.round(100 * f))));
  }
  const band = points.filter((p) => p.low !== null);
  if (band.length > 1) {
    const outline = [...band.map((p) => [x(p.labelled), y(p.high)]), ...[...band].reverse().map((p) => [x(p.labelled), y(p.low)])];
    picture.append(svg("polygon", { points: join(outline), class: "band" }));
  }
  for (const p of band) picture.append(svg("line", { x1: x(p.labelled), x2: x(p.labelled), y1: y(p.low), y2: y(p.high), class: "bar" }));
  picture.append(svg("polyline", { points: join(points.map((p) => [x(p.labelled), y(p.f)])), class: "line" }));
  for (const p of points) picture.append(svg("circle", { cx: x(p.labelled), cy: y(p.f), r: 3.5 }, svg("title", {}, `${(100 * p.f).toFixed(1)} with ${p.labelled} texts`)));
  const ends = points.length > 1 ? [[least, "start"], [most, "end"]] : [[most, "end"]];
  for (const [n, anchor] of ends) picture.append(svg("text", { x: x(n), y: height - 7, "text-anchor": anchor }, n === most ? plural(n, "text") : String(n)));
  return picture;
}

/** Why there is no score yet, or will be none. */
function noScore(state) {
  const { dev_min: wanted, most_aside: most, loop } = state;
  const docs = state.curve.at(-1)?.docs;
  const aside = (n) => `${plural(n, "text")} ${n === 1 ? "is" : "are"} set aside to measure with`;
  const measured = "For a score from the first round on, begin a run with --dev and a file of labelled texts.";
  if (loop.finished) return `${docs ? `Only ${aside(docs)}; a score needs ${wanted}. ` : "No round was scored. "}${measured}`;
  if (most !== null && most !== undefined && most < wanted) return `This run will show no score: a score needs ${wanted} texts that are set aside, and so few texts give about ${most}. ${measured}`;
  if (docs) return `So far ${aside(docs)}. The score shows from ${wanted} on.`;
  return "A random part of what you label is set aside to measure with. The score shows once there is enough of it.";
}

/** F1 of each label, and the entities that it is measured on. */
function perLabel(types) {
  const names = Object.keys(types ?? {});
  if (names.length < 2) return null;
  const rows = names.map((name) => {
    const { f, n } = types[name];
    return element("li", { title: `${name}: F1 ${(100 * f).toFixed(1)} on ${n === 1 ? "1 entity" : `${n} entities`}` }, element("bdi", {}, name), element("span", { class: "n" }, `${(100 * f).toFixed(1)} (${n})`));
  });
  return element("div", {}, line("F1 of each label, and in brackets its entities in these texts:", "quiet"), element("ul", { class: "types scores" }, ...rows));
}

function score(state) {
  const scored = state.curve.filter((p) => p.f !== null);
  if (!scored.length) return section("Score", line(noScore(state), "quiet"));
  const last = scored.at(-1);
  const before = scored.at(-2);
  const gain = before ? 100 * (last.f - before.f) : 0;
  const of = last.set_aside ? `on ${plural(last.docs ?? 0, "text")} set aside` : "on the dev file";
  const interval = last.low === null ? "" : `, 95 % interval ${(100 * last.low).toFixed(0)} to ${(100 * last.high).toFixed(0)}`;
  const change = before ? element("span", { class: gain >= 0 ? "up" : "down" }, ` ${gain >= 0 ? "▲" : "▼"} ${Math.abs(gain).toFixed(1)}`) : null;
  return section(
    "Score",
    element("p", { class: "big" }, (100 * last.f).toFixed(1), change),
    line(`F1 ${of}${interval}`, "quiet"),
    curve(scored),
    perLabel(state.types),
  );
}

function counts(state) {
  const { labelled, empty, skipped, types } = state.counts;
  const most = Math.max(1, ...Object.values(types));
  const names = [...state.labels, ...Object.keys(types).filter((name) => !state.labels.includes(name))];
  const rows = names.map((name, i) => {
    const n = types[name] ?? 0;
    const bar = element("i", { class: `c${i % 8}` });
    bar.style.width = `${(100 * n) / most}%`;
    return element("li", { title: name }, element("bdi", {}, name), element("span", { class: "bar" }, bar), element("span", { class: "n" }, String(n)));
  });
  return section(
    "Labelled",
    element("p", { class: "big" }, labelled.toLocaleString("en"), element("small", {}, labelled === 1 ? " text" : " texts")),
    line(`${empty} of them without entities; ${skipped} skipped`, "quiet"),
    element("ul", { class: "types" }, ...rows),
  );
}

function training(state) {
  const { phase, elapsed, alive, finished } = state.loop;
  let text = PHASES[phase] ?? phase;
  if (finished) text = "All rounds are done";
  else if (!alive) text = "The training has stopped";
  else if (phase !== "wait" && phase !== "annotate") text += `, for ${duration(elapsed)}`;
  const last = state.last === null ? null : line(`The last round took ${duration(state.last)}.`, "quiet");
  const early = state.batch.early ? line(`${plural(state.batch.early, "text")} for the next batch labelled already.`, "quiet") : null;
  return section("Model", line(text), last, early);
}

function next(state) {
  if (!state.next) return null;
  const over = state.loop.finished;
  const { why, scored, pool, left_out } = state.next;
  if (left_out) return section(over ? "What was left out" : "What is asked, and why", line(`${plural(left_out, "text")} ${left_out === 1 ? "is" : "are"} left out: nearly the same as labelled ones.`));
  if (over) return pool ? section("What is left", line(`${plural(pool, "text")} ${pool === 1 ? "was" : "were"} not asked for.`)) : null;
  const compared = scored ? ` For this batch ${plural(scored, "text")} ${scored === 1 ? "was" : "were"} compared.` : "";
  const sizes = pool ? `${plural(pool, "text")} ${pool === 1 ? "is" : "are"} left.${compared}` : "";
  return section("What is asked, and why", line(why), line(sizes, "quiet"));
}

function advice(state) {
  const a = state.advice;
  if (!a) return null;
  const kappa = a.kappa === null ? "" : ` (kappa of the tokens ${a.kappa.toFixed(2)})`;
  const agree = a.agreement === null
    ? `The last two models find no entities in ${plural(a.docs, "text")}.`
    : `On ${plural(a.docs, "text")} that the last two models were not trained on, their entities agree to ${percent(a.agreement)}${kappa}.`;
  // A bound so wide says nothing.
  const bound = a.bound === null || a.bound > 0.3 ? null : line(`There, F1 has changed by at most ${(100 * a.bound).toFixed(0)} points.`, "quiet");
  if (state.loop.finished) return section("How much did the last round change?", line(agree), bound);
  const stop = a.stop
    ? line("Three models in a row hardly differ: more labels will change little. You may stop; it is up to you.", "hint")
    : line("The model still changes: go on.");
  return section("Is it enough?", stop, line(agree, "quiet"), bound);
}

function blind(state) {
  const b = state.blind;
  if (!b) return null;
  if (b.wrong === null) {
    return section("Do suggestions mislead?", line(`${plural(b.texts, "text")} labelled blind. The answer needs ${b.enough} suggestions in blind texts, and as many in others: now ${b.hidden} and ${b.shown}.`, "quiet"));
  }
  return section(
    "Do suggestions mislead?",
    line(`Of about ${b.wrong} wrong suggestions, people kept about ${b.kept}.`),
    line(`Estimated from ${plural(b.texts, "text")} labelled blind: there ${b.hidden_wrong} of ${b.hidden} suggestions were wrong; of those shown, people changed ${b.shown_changed} of ${b.shown}.`, "quiet"),
  );
}

async function copied(button, pre) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
    button.textContent = "Copied";
  } catch { // not allowed here: select it, so that a key copies it
    getSelection().selectAllChildren(pre);
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2000);
}

/** A line of code, and the button that copies it. */
function code(text) {
  const pre = element("pre", { tabindex: "0" }, text);
  const copy = element("button", { type: "button", class: "plain", onclick: () => copied(copy, pre) }, "Copy");
  return [pre, element("span", { role: "status" }, copy)];
}

function pipeline(state) {
  if (!state.model) return null;
  return section("Your pipeline", ...code(`nlp = spacy.load(${JSON.stringify(state.model.path)})`));
}

/** A word as a shell reads it. */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

function whatNow(state) {
  if (!state.loop.finished || !state.model) return null;
  const { answers, path, run } = state.model;
  const pool = state.texts ? ` --pool ${quoted(state.texts)}` : "";
  return section(
    "What now?",
    line("End the page with Ctrl-C in its terminal. Then this makes a file of your labels, for spacy train or another program:"),
    ...code(`python -m spacy seqmix ingest ${quoted(answers)} -o labelled.spacy --model ${quoted(path)}${pool}`),
    line("And this a report of the rounds:"),
    ...code(`python -m spacy seqmix report ${quoted(run)} -o report`),
    line("This run keeps its texts: for more texts, begin a run in another folder.", "quiet"),
  );
}

const drawn = new Map(); // each part as it is shown: {html, node}

/** Draw the parts that have changed; in the others, what is selected and the focus stay. */
export function drawProgress(root, state) {
  let before = null;
  for (const part of [counts, score, training, next, advice, blind, pipeline, whatNow]) {
    const node = part(state);
    const old = drawn.get(part);
    const html = node?.outerHTML;
    if (old && old.html === html) {
      before = old.node;
      continue;
    }
    old?.node.remove();
    drawn.delete(part);
    if (!node) continue;
    if (before) before.after(node);
    else root.prepend(node);
    drawn.set(part, { html, node });
    before = node;
  }
}
