// The banner at the top: what is wrong, or what else there is to say.

import { plural } from "./side.js";
import { element } from "./text.js";

const $ = (id) => document.getElementById(id);

let trouble = null; // what the banner says
let notice = null; // what it says when there is no trouble: {text, buttons, key, passes}
let alarm = null; // what it says of the training, when there is no trouble either

/** Whether the server can't be reached, or has a problem. */
export function inTrouble() {
  return trouble !== null;
}

/** Say what is wrong with the server. `n`: answers that are on their way to it. `hasText`: whether a text is shown. */
export function fail(error, n, hasText) {
  const kept = n ? ` ${plural(n, "answer")} ${n === 1 ? "is" : "are"} kept in this browser and will be sent.` : " Nothing is lost.";
  if (error.status === 0) trouble = `No connection to the server.${kept} ${hasText ? "Go on labelling; the page" : "The page"} tries again.`;
  else if (error.status === 507) trouble = `The server can't write: ${error.message}${kept}`;
  else if (error.status === 403) trouble = `The server at this address does not know this page: it may be that of another run. Start the server of this run again; its terminal shows the link.${kept}`;
  else if (error.status === 403 || error.status === 409) trouble = `${error.message}${kept}`;
  else trouble = `The server has a problem: ${error.message}${kept}`;
  draw();
}

export function recovered() {
  if (trouble === null) return;
  trouble = null;
  draw();
}

/** Say something until it is taken back: {text, buttons: {words: action}, key, passes}. What passes goes with the next answer. */
export function tell(what) {
  notice = what;
  draw();
}

/** Take back what was said of a text that is answered now, and what passes. */
export function untell(key) {
  if (notice?.key === key || notice?.passes) tell(null);
}

/** Say that the training has stopped, until it goes on. */
export function warn(what) {
  alarm = what;
  draw();
}

function draw() {
  const { text = "", buttons = {} } = (trouble ? { text: trouble } : alarm ?? notice) ?? {};
  $("banner").hidden = !text;
  if ($("banner-text").textContent !== text) $("banner-text").textContent = text;
  const [row, words] = [$("banner-buttons"), Object.keys(buttons)];
  // What is the same stays, and keeps the focus.
  if (words.join() !== Array.from(row.children, (one) => one.textContent).join()) {
    row.replaceChildren(...words.map((one) => element("button", { type: "button" }, one)));
  }
  for (const one of row.children) one.onclick = buttons[one.textContent];
}
