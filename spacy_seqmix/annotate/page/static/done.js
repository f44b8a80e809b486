// The list of what was done, the last first.

import { ask } from "./outbox.js";
import { read } from "./storage.js";
import { element } from "./text.js";

const $ = (id) => document.getElementById(id);

export class DoneList {
  /** onChoose: called with the answer to go back to; onError: with what the server says. */
  constructor(onChoose, onError) {
    Object.assign(this, { onChoose, onError, shown: 0, open: "" });
    $("filter").addEventListener("change", () => this.draw());
  }

  /** Offer what to show: `older` counts the texts that were labelled before a label existed. */
  drawFilter({ labels, older }) {
    const chosen = $("filter").value;
    // No label has a comma: these values are none.
    const options = [
      element("option", { value: "" }, "everything"),
      element("option", { value: ",skipped", "data-skipped": true }, "skipped"),
      ...labels.map((label) => element("option", { value: `,with,${label}`, "data-with": label }, `with ${label}`)),
      ...Object.entries(older).map(([label, n]) => element("option", { value: label, "data-before": label }, `labelled before ${label} existed (${n})`)),
    ];
    $("filter").replaceChildren(...options);
    $("filter").value = options.some((one) => one.value === chosen) ? chosen : "";
  }

  /** Mark the text that is open. */
  mark(key) {
    this.open = key;
    for (const button of $("done-list").querySelectorAll("button")) {
      if (button.dataset.key === key) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  async draw({ more = false } = {}) {
    if (!more) this.shown = 0;
    try {
      const { before, with: label, skipped } = $("filter").selectedOptions[0]?.dataset ?? {};
      const { count, answers } = await ask("done", { skip: this.shown, before, label, skipped: skipped !== undefined });
      const items = answers.map((answer) => this.#item(answer));
      if (more) $("done-list").append(...items);
      else $("done-list").replaceChildren(...items);
      this.shown += answers.length;
      $("more").hidden = this.shown >= count;
      this.mark(this.open);
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
    const small = element("small", {}, begun && element("span", {}, begun), element("bdi", {}, what), element("span", {}, ` · ${when}${by}`));
    const words = element("span", { dir: "auto", class: "start" }, start);
    return element("li", {}, element("button", { type: "button", "data-key": answer.key, onclick: () => this.onChoose(answer) }, words, small));
  }
}
