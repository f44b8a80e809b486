// What a key means, wherever the focus is.

/** The key as labels name it: where the keyboard writes another script, by its place. */
function letterOf(event) {
  if (/^[a-z0-9]$/i.test(event.key)) return event.key.toLowerCase();
  const place = /^(?:Key([A-Z])|(?:Digit|Numpad)([0-9]))$/.exec(event.code);
  return event.key.length === 1 && place ? (place[1] ?? place[2]).toLowerCase() : "";
}

/**
 * The name of what a key does and its arguments, or null where the browser has the key.
 * `labels`: {label, digit, letter} of each. `sheet`: whether a text is shown; `rtl`: whether it runs from right to left.
 */
export function actionOf(event, { labels, sheet, rtl, inText }) {
  if (event.target.closest("input, textarea, select, dialog[open]") || event.isComposing) return null;
  const control = event.ctrlKey || event.metaKey;
  if (control && event.key.toLowerCase() === "z") return ["undo"];
  if (control || event.altKey) return null;
  if (event.target.closest("button, a, pre") && (event.key === "Enter" || event.key === " ")) return null;
  if (event.key === "?") return ["help"];
  if (event.key === "Escape") return ["escape"];
  return (
    arrows(event, sheet, rtl) ?? moves(event, sheet, inText) ?? acts(event) ?? letters(letterOf(event), labels, event.repeat)
  );
}

function arrows(event, sheet, rtl) {
  const step = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return null;
  const isVertical = event.key === "ArrowDown" || event.key === "ArrowUp";
  const item = event.target.closest(".done-list li");
  if (item && isVertical) return ["focusItem", step > 0 ? item.nextElementSibling : item.previousElementSibling];
  if (!sheet || event.target.closest('[role="tab"], [role="tabpanel"]')) return null;
  if (isVertical) return ["walkLines", step];
  return [event.shiftKey ? "extend" : "walk", step];
}

function moves(event, sheet, inText) {
  if (!sheet) return null;
  if (event.key === "Home") return ["walkTo", 0];
  if (event.key === "End") return ["walkTo", -1];
  if (event.key === ".") return ["swap"];
  if (event.key === "Tab" && inText) return ["walkEntities", event.shiftKey ? -1 : 1];
  return null;
}

function acts(event) {
  if (event.key === "Enter") return event.repeat ? ["nothing"] : ["submit", "labelled"];
  if (event.key === "Backspace" || event.key === "Delete") return [event.shiftKey ? "removeSuggested" : "remove"];
  if (event.key === " ") return ["giveAgain"];
  return null;
}

function letters(sign, labels, isRepeated) {
  const label = sign && labels.find((one) => sign === one.digit || sign === one.letter);
  if (label) return ["give", label.label];
  if (sign === "s") return isRepeated ? null : ["submit", "skipped"];
  if (sign === "u") return ["undo"];
  if (sign === "h") return ["showDone"];
  return null;
}
