// The page: which text is shown, what keys and buttons do, and when the server is asked.

import { fail, inTrouble, recovered, tell, untell, warn } from "./banner.js";
import { DoneList } from "./done.js";
import { actionOf } from "./keyboard.js";
import { Sheet, keysOf } from "./model.js";
import { Outbox, ask, newId } from "./outbox.js";
import { drawProgress, duration, plural } from "./side.js";
import { forget, hasLabelled, noteLabelled, read, storeOf, write } from "./storage.js";
import { TextView, element } from "./text.js";

const $ = (id) => document.getElementById(id);
const POLL = 2000;
const SOON = 100;
const IDLE = 30_000;
// So soon after a text has come, nobody has read it: the key was pressed twice.
const TOO_SOON = 250;
// Said once all rounds are done.
const LATE = "What you save now is kept, but this pipeline does not learn it.";
const NARROW = matchMedia("(max-width: 900px)");

const tab = newId();
let state = null;
let keys = [];
let queue = []; // texts that come next
let current = null; // {task, sheet, seconds, since}
let parked = null; // the text that waits while one before it is corrected
let lastLabel = null;
let outbox = null;
let turn = Promise.resolve();
let lastInput = performance.now();
const mine = []; // answers of this tab, the last at the end
const answered = new Set();
const view = new TextView($("text"), $("scroll"), () => refresh());
const done = new DoneList(choose, disconnected);

// ---------------------------------------------------------------- texts

function held() {
  const shown = [current, parked].filter(Boolean).map((one) => one.task.key);
  return [...shown, ...queue.map((task) => task.key), ...(outbox?.keys ?? [])];
}

/** How many texts to have at hand: without a server they must do, but other tabs want some too. */
function ahead() {
  return Math.min(10, Math.max(3, Math.floor((state?.batch.n ?? 0) / 4)));
}

/** Send what says which texts this tab holds, one at a time: an older list would give back the newest texts. */
function inTurn(send) {
  turn = turn.then(send, send);
  return turn;
}

/** Have the next texts at hand. `anew`: those at hand are of an older model. */
function fill(anew = false) {
  return inTurn(() => fillNow(anew));
}

async function fillNow(anew) {
  const known = new Set(anew ? queue.map((task) => task.key) : []);
  const holds = held().filter((key) => !known.has(key));
  const wanted = ahead() - (anew ? 0 : queue.length) + (current ? 0 : 1);
  if (wanted <= 0) return;
  try {
    const { texts } = await ask("texts", { tab, holds, wanted });
    const busy = new Set([current, parked].filter(Boolean).map((one) => one.task.key));
    const fresh = texts.filter((task) => !busy.has(task.key) && !answered.has(task.key));
    queue = anew ? fresh : [...queue, ...fresh];
    if (!current && queue.length) open(queue.shift());
    connected();
  } catch (error) {
    disconnected(error);
  }
  refresh();
}

function open(task, { correct = false } = {}) {
  const sheet = new Sheet(task);
  const draft = read(`draft:${task.key}`);
  // What was begun is a change: it can be undone.
  if (draft) sheet.change(draft);
  lastInput = performance.now();
  current = { task, sheet, seconds: task.seconds ?? 0, correct, since: lastInput };
  view.show(sheet, state.labels);
  refresh();
  if (!document.querySelector("dialog[open]")) $("text").focus({ preventScroll: true });
  const n = sheet.ents.length;
  say(correct ? "A text that you have done" : `Next text${n ? `, ${plural(n, "suggestion")}` : ""}`);
}

function advance() {
  current = null;
  if (parked) {
    [current, parked] = [{ ...parked, since: performance.now() }, null];
    view.show(current.sheet, state.labels);
  } else if (queue.length) open(queue.shift());
  refresh();
  fill();
}

async function submit(kind) {
  if (!current || performance.now() - current.since < TOO_SOON) return;
  const { task, sheet, correct: isCorrection } = current;
  spend();
  const answer = {
    id: newId(),
    base: isCorrection ? task.id : "",
    key: task.key,
    text: task.text,
    tokens: task.tokens,
    state: kind,
    spans: kind === "skipped" ? [] : sheet.spans(),
    who: read("who") ?? "",
    seconds: Math.round(current.seconds * 10) / 10,
    shown: task.spans ? task.shown : task.suggestions,
    blind: task.blind ?? false,
    round: task.round ?? 0,
  };
  const kept = outbox.put(answer);
  answered.add(task.key);
  mine.push(answer);
  untell(task.key);
  if (read("left")?.key === task.key) forget("left");
  // Who skipped by mistake finds the work again.
  const lost = kind === "skipped" && sheet.ents.some((ent) => ent.own);
  if (lost) {
    keepDraft(task.key, sheet.ents);
    tell({ text: "Skipped: the labels of this text are not used.", buttons: { "Take it back": () => correct(answer) }, key: task.key, passes: true });
  } else if (kind !== "skipped") forget(`draft:${task.key}`);
  if (!kept) await outbox.sending;
  advance();
}

/** Back to the text before; again, to the one before that. */
async function back() {
  const at = current?.correct ? mine.findLastIndex((one) => one.key === current.task.key) : mine.length;
  let before = mine[at - 1];
  if (!before) {
    try {
      const first = mine[0];
      const { answers } = await ask("done", {});
      const place = first ? answers.findIndex((one) => one.key === first.key) : -1;
      const older = answers.slice(place + 1).filter((one) => one.key !== current?.task.key);
      if (older.length) mine.unshift(...older.reverse());
      before = older.at(-1);
    } catch (error) {
      disconnected(error);
    }
  }
  if (before) correct(before);
}

function correct(answer) {
  if (current?.correct) remind(answer.key);
  else if (current) parked = current;
  // This tab may have corrected it since, and another one after that.
  const isOurs = mine.some((one) => one.id === answer.id || one.base === answer.id);
  const last = isOurs ? mine.findLast((one) => one.key === answer.key) : answer;
  untell(answer.key);
  const skipped = last.state === "skipped";
  open({ ...last, suggestions: skipped ? last.shown : null, spans: skipped ? null : last.spans }, { correct: true });
}

/** Say that a correction is left whose changes are not saved. `other`: the text that comes instead. */
function remind(other = null) {
  const { task, sheet } = current;
  if (task.key === other || !sheet.past.length) return;
  write("left", task);
  remindOf(task);
}

function remindOf(task) {
  const discard = () => {
    forget(`draft:${task.key}`);
    forget("left");
    tell(null);
    if (!$("done").hidden) done.draw();
  };
  tell({ text: `Your changes to ${quoted(task)} are not saved.`, buttons: { "Back to them": () => correct(task), Discard: discard }, key: task.key });
}

function quoted(task) {
  return `“\u2068${Array.from(task.text.trim()).slice(0, 40).join("")}\u2069”`;
}

/** Texts that others have answered while they lay here: `keys`. What somebody works on stays until it is sent. */
function dropAnswered(keys) {
  const gone = new Set(keys.filter((key) => !answered.has(key)));
  if (!gone.size) return;
  queue = queue.filter((task) => !gone.has(task.key));
  const isIdle = (one) => one && !one.correct && gone.has(one.task.key) && !one.sheet.past.length;
  if (isIdle(parked)) parked = null;
  if (!isIdle(current)) return;
  tell({ text: `Somebody else has labelled ${quoted(current.task)}.`, buttons: { Close: () => tell(null) }, passes: true });
  advance();
}

/** Somebody else was faster: show their answer, with the labels of this one as changes that are not saved. */
async function disputed({ key, spans }) {
  try {
    const [theirs] = (await ask("done", { key })).answers;
    mine.splice(0, mine.length, ...mine.filter((one) => one.key !== key));
    const sheet = new Sheet({ ...theirs, spans });
    keepDraft(key, sheet.ents);
    const by = theirs.who ? `\u2068${theirs.who}\u2069` : "Somebody else";
    tell({ text: `${by} has labelled ${quoted(theirs)} in the meantime. Your labels are not saved.`, buttons: { "Compare and choose": () => correct(theirs), "Keep theirs": () => { forget(`draft:${key}`); tell(null); } }, key });
  } catch (error) {
    disconnected(error);
  }
}

/** Go back to a text of the list of what was done. */
function choose(answer) {
  correct(answer);
  if (NARROW.matches) toggleSide(false);
}

function leave() {
  if (!current) return;
  if (current.correct && !current.sheet.selection) {
    remind();
    advance();
  } else {
    current.sheet.selection = null;
    view.mark();
    refresh();
  }
}

// ---------------------------------------------------------------- changes

function changed(did, words = "") {
  if (!did) return;
  view.draw();
  view.mark({ follow: true });
  if (current.sheet.past.length) keepDraft(current.task.key, current.sheet.ents);
  else forget(`draft:${current.task.key}`);
  refresh();
  if (words) say(words);
}

function keepDraft(key, ents) {
  write(`draft:${key}`, ents.map(({ box, ...ent }) => ent));
}

function give(label) {
  if (!current || !current.sheet.range()) return;
  lastLabel = label;
  noteLabelled();
  $("labels").querySelector(`[data-label="${CSS.escape(label)}"]`)?.scrollIntoView({ block: "nearest" });
  const range = current.sheet.range();
  changed(current.sheet.label(label), `${current.sheet.words(range)}: ${label}`);
}

function remove() {
  if (current) changed(current.sheet.remove(), "Removed");
}

function removeSuggested() {
  if (current) changed(current.sheet.removeSuggested(), "All suggestions removed");
}

function undo() {
  if (current?.sheet.undo()) changed(true, "Undone");
  else back();
}

function moved() {
  view.mark({ follow: true });
  refresh();
  const range = current.sheet.range();
  if (!range) return;
  const [ent] = current.sheet.chosen();
  const sure = ent && !ent.own && ent.confidence !== null ? `, suggested, ${Math.round(100 * ent.confidence)}%` : "";
  say(current.sheet.words(range) + (ent ? `: ${ent.label}${sure}` : ""));
}

// ---------------------------------------------------------------- keys

const ACTIONS = {
  help,
  escape,
  undo,
  remove,
  removeSuggested,
  give,
  submit,
  nothing() {},
  giveAgain: () => lastLabel && give(lastLabel),
  showDone: () => showTab("done", true),
  focusItem: (item) => item?.querySelector("button").focus(),
};
// These move the selection.
const MOVES = {
  walk: (step) => current.sheet.walk(step),
  extend: (step) => current.sheet.extend(step),
  walkLines: (step) => view.walkLines(step),
  swap: () => current.sheet.swap(),
  walkEntities: (step) => current.sheet.walkEntities(step),
  walkTo(place) {
    const stop = current.sheet.stops().at(place);
    if (stop) current.sheet.selectEntity(stop);
  },
};

function onKey(event) {
  const text = $("text");
  const rtl = getComputedStyle(text).direction === "rtl";
  const action = actionOf(event, { labels: keys, sheet: !!current, rtl, inText: event.target === text });
  if (!action) return;
  noticed();
  const [name, ...values] = action;
  const found = (MOVES[name] ?? ACTIONS[name])(...values);
  // Behind the last entity, Tab leaves the text as everywhere.
  if (name === "walkEntities" && !found) return;
  event.preventDefault();
  if (name in MOVES) moved();
}

/** From the side bar back to the text; there, out of what is selected or corrected. */
function escape() {
  if ($("side").classList.contains("open")) return toggleSide(false);
  if (document.activeElement.closest("#side") && current) return focusText();
  leave();
}

function focusText() {
  if (current) $("text").focus({ preventScroll: true });
}

/** Count the seconds that somebody spends on a text; longer pauses count as half a minute. */
function noticed() {
  spend();
  lastInput = performance.now();
}

function spend() {
  const now = performance.now();
  if (current) current.seconds += Math.min(now - lastInput, IDLE) / 1000;
  lastInput = now;
}

// ---------------------------------------------------------------- what is shown

function refresh() {
  const sheet = current?.sheet;
  const range = sheet?.range();
  $("text").hidden = !current;
  $("text").dataset.key = current?.task.key ?? "";
  done.mark(current?.task.key ?? "");
  $("waiting").hidden = !!current;
  $("waiting").classList.toggle("still", !!state && (state.loop.finished || !state.loop.alive));
  if (!current) $("waiting-text").textContent = waitingText();
  $("meta").textContent = current ? metaText() : "";
  $("card").classList.toggle("correcting", !!current?.correct);
  $("leave").hidden = !current?.correct;
  const chosen = sheet?.chosen() ?? [];
  const isWhole = chosen.length === 1 && chosen[0].start === range.start && chosen[0].end === range.end;
  const all = !range && sheet?.suggested.length > 1;
  $("remove").disabled = !chosen.length && !all;
  $("remove-text").textContent = all ? "Remove all" : "Remove";
  $("remove-key").textContent = all ? "⇧⌫" : "⌫";
  $("skip").disabled = $("accept").disabled = !current;
  $("undo").disabled = !current && !mine.length;
  const n = sheet?.ents.length ?? 0;
  const verb = current?.correct ? "Save" : sheet?.touched || !n ? "Done" : "Accept";
  $("accept-text").textContent = current && !n ? "No entities" : verb;
  for (const chip of $("labels").querySelectorAll("[data-label]")) {
    chip.disabled = !range;
    chip.setAttribute("aria-pressed", String(isWhole && chosen[0].label === chip.dataset.label));
  }
  markCut();
}

function metaText() {
  const { task, sheet, correct } = current;
  if (correct) {
    const kind = task.state === "skipped" ? "You skipped this text." : "You have done this text.";
    const begun = sheet.past.length ? " Your changes are not saved yet: Undo takes them back." : "";
    return `${kind}${begun || " Change it and save, or leave it."}${state.loop.finished ? ` ${LATE}` : ""}`;
  }
  const parts = [];
  if (task.blind) parts.push("Without suggestions, to compare");
  else if (task.suggestions?.length) parts.push(plural(task.suggestions.length, "suggestion"));
  else if (task.suggestions) parts.push("The model suggests nothing here");
  if (task.dev) parts.push(task.round ? "Set aside to measure with, so nothing is suggested" : "Set aside to measure with");
  if (task.reserve) parts.push(`For the next batch${learns() ? ", while the model learns" : ""}`);
  if (!hasLabelled()) parts.push("Select words, then press a label");
  return parts.join(" · ");
}

function learns() {
  return !["wait", "annotate", "start", "ended"].includes(state.loop.phase) && state.loop.alive;
}

function waitingText() {
  if (!state) return "Opening…";
  const { loop, batch } = state;
  if (inTrouble()) return "The next texts come once the server can be reached. See the message above.";
  const out = state.next?.left_out;
  const rest = out ? ` ${plural(out, "text")} ${out === 1 ? "is" : "are"} left out: nearly the same as labelled ones.` : "";
  if (loop.finished) return `${rest ? "All others are done." + rest : "Every text is done."} The pipeline is ready: see Progress. ${LATE}`;
  if (!loop.alive) return "The training has stopped. See the message above.";
  if (loop.phase === "start") return state.counts.labelled ? "Reading the texts, and what was done before…" : "Reading the texts, and choosing the first ones…";
  if (loop.phase !== "wait" && loop.phase !== "annotate") return `The model is learning from your labels (${duration(loop.elapsed)}). The next texts come by themselves.`;
  return batch.elsewhere ? `${plural(batch.elsewhere, "text")} of this batch ${batch.elsewhere === 1 ? "is" : "are"} open in another tab, perhaps another person's.` : "The next texts come by themselves.";
}

function drawLabels() {
  keys = keysOf(state.labels);
  const chips = keys.map(({ label, digit, letter }, i) =>
    element(
      "button",
      { type: "button", class: `chip c${i % 8} ${i > 7 ? "again" : ""}`, title: label, "data-label": label, onclick: () => give(label), "aria-keyshortcuts": [digit, letter].filter(Boolean).join(" ") },
      element("bdi", {}, label),
      digit || letter ? element("kbd", { "aria-hidden": "true" }, [digit, letter.toUpperCase()].filter(Boolean).join(" ")) : null,
    ),
  );
  $("labels").replaceChildren(...chips);
  makeRoom();
}

/** Give many labels the room that the text does not need. */
function makeRoom() {
  const main = document.querySelector("main");
  main.classList.remove("crowded");
  main.classList.toggle("crowded", $("labels").clientHeight < $("labels").scrollHeight - 4);
  markCut();
}

/** Show that there are more lines, or more labels, than fit. */
function markCut() {
  for (const one of [$("labels"), $("scroll")]) one.classList.toggle("cut", one.scrollTop + one.clientHeight < one.scrollHeight - 4);
}

function drawTop() {
  const { batch, loop } = state;
  $("title").textContent = state.title;
  document.title = `${state.title} · ${state.counts.labelled} labelled`;
  $("round").textContent = batch.round === null ? "" : `Round ${batch.round + 1}`;
  const busy = learns();
  $("batch").classList.toggle("busy", busy);
  const share = batch.n ? batch.labelled / batch.n : 0;
  $("bar").style.width = `${100 * share}%`;
  $("batch").setAttribute("aria-valuenow", batch.labelled);
  $("batch").setAttribute("aria-valuemax", batch.n);
  $("batch-text").textContent = busy ? `learning, ${duration(loop.elapsed)}` : batch.n ? `${batch.labelled} of ${batch.n}` : "";
}

function drawState(next) {
  const first = state === null;
  const isNew = first || next.next?.model !== state.next?.model || next.batch.round !== state.batch.round;
  const labels = first || String(next.labels) !== String(state.labels);
  const offered = ({ labels, older }) => JSON.stringify([labels, older]);
  const filter = first || offered(next) !== offered(state);
  state = next;
  if (first) {
    storeOf(state.run);
    const left = read("left");
    if (left && read(`draft:${left.key}`)) remindOf(left);
    outbox = new Outbox(state.run, sent);
    $("text").lang = state.lang ?? "";
  }
  if (labels) {
    drawLabels();
    if (current) view.show(current.sheet, state.labels);
  }
  if (filter) done.drawFilter(state);
  drawTop();
  drawProgress($("progress"), state);
  $("n-done").textContent = String(state.counts.labelled + state.counts.skipped);
  const { message, alive } = state.loop;
  warn(message ? { text: `The training has stopped: ${message}`, buttons: alive ? {} : { "Start again": startAgain } } : null);
  dropAnswered(state.answered ?? []);
  refresh();
  if (isNew) fill(!first);
  else if (queue.length < ahead()) fill();
}

async function poll() {
  [poll.runs, poll.again] = [true, false];
  try {
    const active = performance.now() - lastInput < 4 * IDLE || !current;
    drawState(await inTurn(() => ask("state", { tab, active, holds: held() })));
    connected();
  } catch (error) {
    disconnected(error);
  }
  poll.runs = false;
  clearTimeout(poll.timer);
  poll.timer = setTimeout(poll, poll.again ? SOON : document.hidden ? 5 * POLL : POLL);
}

/** Ask for the state at once: the counts have changed. */
function soon() {
  poll.again = true;
  if (poll.runs) return;
  clearTimeout(poll.timer);
  poll.timer = setTimeout(poll, SOON);
}

async function startAgain() {
  drawState(await ask("train", {}));
}

// ---------------------------------------------------------------- trouble

function sent(waiting, error, refused) {
  $("saved").textContent = waiting ? `saving ${waiting}…` : "saved";
  $("saved").classList.toggle("late", !!error);
  if (error) disconnected(error);
  else if (!waiting) {
    connected();
    if (refused?.error.code === "S693") disputed(refused.answer);
    else if (refused) tell({ text: `An answer was not taken: ${refused.error.message} It stays in this browser's storage.`, buttons: { Close: () => tell(null) } });
    if (!$("done").hidden) done.draw();
    soon();
  }
}

function disconnected(error) {
  fail(error, outbox?.answers.size ?? 0, !!current);
}

function connected() {
  if (!outbox?.error) recovered();
}

function say(text) {
  $("live").textContent = text;
}

function showTab(name, focus = false) {
  for (const one of ["progress", "done"]) {
    $(one).hidden = one !== name;
    $(`tab-${one}`).setAttribute("aria-selected", String(one === name));
  }
  if (NARROW.matches) toggleSide(true);
  if (name === "done") done.draw().then(() => focus && $("done-list").querySelector("button")?.focus());
}

function toggleSide(isOpen) {
  $("side").classList.toggle("open", isOpen);
  $("open-side").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) $("tab-progress").focus({ preventScroll: true });
  else focusText();
}

// ---------------------------------------------------------------- tabs and dialogs

function openDialog(id) {
  $(id).showModal();
}

function help() {
  $("who").value = read("who") ?? "";
  openDialog("help");
}

async function addLabel(event) {
  event.preventDefault();
  const known = state.labels;
  const label = $("new-label-name").value;
  try {
    if (known.includes(label.trim())) throw new Error("There is this label already.");
    drawState(await ask("labels", { label }));
    $("new-label-form").reset();
    $("new-label").close();
    focusText();
    state.labels.filter((one) => !known.includes(one)).forEach((one) => {
      give(one);
      tell({ text: `The label “\u2068${one}\u2069” is new.`, buttons: { "Take it back": () => takeBack(one) }, passes: true });
    });
  } catch (error) {
    $("new-label-error").textContent = error.message;
  }
  $("new-label-error").hidden = !$("new-label").open;
}

/** Remove a label that no text has. */
async function takeBack(label) {
  try {
    drawState(await ask("labels", { label, remove: true }));
    tell(null);
    if (current?.sheet.ents.some((ent) => ent.label === label)) {
      current.sheet.change(current.sheet.ents.filter((ent) => ent.label !== label));
      changed(true);
    }
  } catch (error) {
    tell({ text: error.message, buttons: { Close: () => tell(null) } });
  }
}

function newLabel() {
  $("new-label-when").textContent = state.loop.finished ? LATE : "The model learns it from the next training on.";
  $("new-label-error").hidden = true;
  openDialog("new-label");
}

// ---------------------------------------------------------------- begin

function click(id, action) {
  $(id).addEventListener("click", () => {
    noticed();
    action();
    if (document.activeElement?.closest(".controls, .card")) focusText();
  });
}

click("accept", () => submit("labelled"));
click("skip", () => submit("skipped"));
click("undo", undo);
click("remove", () => (current?.sheet.range() ? remove() : removeSuggested()));
click("leave", () => {
  current.sheet.selection = null;
  leave();
});
click("open-help", help);
click("open-side", () => toggleSide(!$("side").classList.contains("open")));
click("close-side", () => toggleSide(false));
for (const name of ["progress", "done"]) {
  // The keys go on to work for the text, unless the tab was opened by key.
  $(`tab-${name}`).addEventListener("click", (event) => {
    noticed();
    showTab(name);
    if (event.detail && !NARROW.matches) focusText();
  });
}
$("add-label").addEventListener("click", newLabel);
for (const id of ["labels", "scroll"]) $(id).addEventListener("scroll", markCut);
addEventListener("resize", makeRoom);
for (const one of document.querySelectorAll("dialog")) one.addEventListener("close", focusText);
click("more", () => done.draw({ more: true }));
click("new-label-cancel", () => $("new-label").close());
$("labels").addEventListener("click", focusText);
$("new-label-form").addEventListener("submit", addLabel);
$("who").addEventListener("change", () => write("who", $("who").value.trim()));
document.addEventListener("keydown", onKey);
document.addEventListener("pointerdown", noticed);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) spend();
  else {
    lastInput = performance.now();
    poll();
  }
});
addEventListener("pagehide", () => {
  if (current?.correct && current.sheet.past.length) write("left", current.task);
  navigator.sendBeacon("/api/release", new Blob([JSON.stringify({ tab })], { type: "application/json" }));
});
addEventListener("pageshow", (event) => event.persisted && fill(true));
// The key of the link stays out of the address, of the history and of screenshots.
if (location.search) history.replaceState(null, "", "/");
poll();
