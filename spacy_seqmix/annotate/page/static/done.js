// The list of what was done, the last first.

import { ask } from "./outbox.js";
import { read } from "./storage.js";
import { element } from "./text.js";

const $ = (id) => document.getElementById(id);

export class DoneList {
  /** onChoose: called with the answer to go back to; onError: with what the server says. */
  constructor(onChoose, onError) {
    Object.assign(this, { onChoose, onError, shown: 0 });
    $("filter").addEventListener("change", () => this.draw());
  }

  /** Offer the texts that were labelled before a label existed: {label: how many}. */
  drawFilter(older) {
    const chosen = $("filter").value;
    const options = Object.entries(older).map(([label, n]) => element("option", { value: label }, `labelled before ${label} existed (${n})`));
    $("filter").replaceChildren(element("option", { value: "" }, "everything"), ...options);
    $("filter").value = older[chosen] ? chosen : "";
  }

  async draw({ more = false } = {}) {
    if (!more) this.shown = 0;
    try {
      const { count, answers } = await ask("done", { skip: this.shown, before: $("filter").value || null });
      const items = answers.map((answer) => this.#item(answer));
      if (more) $("done-list").append(...items);
      else $("done-list").replaceChildren(...items);
      this.shown += answers.length;
      $("more").hidden = this.shown >= count;
    } catch (error) {
      this.onError(error);
    }
  }

  #item(answer) {
    const n = answer.spans.length;
    const what = answer.state === "skipped" ? "skipped" : n ? answer.spans.map((span) => span.label).join(" ") : "no entities";
    const when = new Date(answer.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const begun = read(`draft:${answer.key}`) ? "changes not saved · " : "";
    const start = Array.from(answer.text).slice(0, 90).join("");
    const by = answer.who ? ` · ${answer.who}` : "";
    const small = element("small", {}, begun, element("bdi", {}, what), element("span", {}, ` · ${when}${by}`));
    const words = element("span", { dir: "auto", class: "start" }, start);
    return element("li", {}, element("button", { type: "button", onclick: () => this.onChoose(answer) }, words, small));
  }
}
