// The text on the page: its words, entities and selection, by mouse, touch and keyboard.

const BLANKS = { "\n": "↵\n", "\t": "⇥\t" };
// Signs that turn round what follows: they may not reach beyond their word.
const TURNS = /[\u202a-\u202e\u2066-\u2069]/;

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** How sure the model is, in three steps: the line below an entity shows them too. */
function surety(confidence) {
  if (confidence === null) return "some";
  return confidence < 0.5 ? "low" : confidence < 0.8 ? "some" : "high";
}

/** A long label is cut beside its word: the whole one shows on hover. */
function short(label) {
  const signs = Array.from(label);
  return signs.length > 24 ? `${signs.slice(0, 23).join("")}…` : label;
}

export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

export class TextView {
  /** onChange: called after each selection or change that the pointer made. */
  constructor(root, scroll, onChange) {
    Object.assign(this, { root, scroll, onChange });
    this.words = [];
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    // A drag may end beside the text, or outside the window.
    addEventListener("pointerup", () => this.#up());
    addEventListener("pointercancel", () => this.#cancel());
  }

  show(sheet, labels) {
    this.sheet = sheet;
    this.labels = labels;
    this.draw();
    this.scroll.scrollTop = 0;
  }

  /** Draw everything anew: after a change of the entities. */
  draw() {
    const { sheet } = this;
    this.words = [];
    this.gaps = [];
    const parts = [];
    for (let i = 0; i < sheet.tokens.length; i += 1) {
      const ent = sheet.at(i);
      parts.push(this.#gap(i));
      if (ent) {
        parts.push(this.#entity(ent));
        i = ent.end - 1;
      } else parts.push(this.#word(i));
    }
    parts.push(document.createTextNode(sheet.rest));
    this.root.replaceChildren(...parts);
    this.mark();
  }

  #gap(i) {
    const gap = element("span", { class: "gap" }, this.sheet.tokens[i].before);
    this.gaps[i] = gap;
    return gap;
  }

  #word(i) {
    const token = this.sheet.tokens[i];
    const text = token.blank ? token.text.replace(/[\n\t]/g, (sign) => BLANKS[sign]) : token.text;
    const kind = `word${token.blank ? " blank" : ""}${TURNS.test(text) ? " turns" : ""}`;
    const word = element("span", { class: kind, "data-i": i }, text);
    this.words[i] = word;
    return word;
  }

  #entity(ent) {
    const number = this.labels.indexOf(ent.label);
    const kind = ent.own ? "own" : `suggested ${surety(ent.confidence)}`;
    const box = element("span", { class: `entity c${number < 0 ? "x" : number % 8} ${number > 7 ? "again" : ""} ${kind}` });
    for (let i = ent.start; i < ent.end; i += 1) {
      if (i > ent.start) box.append(this.#gap(i));
      box.append(this.#word(i));
    }
    const sure = ent.own || ent.confidence === null ? null : element("i", {}, percent(ent.confidence));
    box.append(element("bdi", { class: "tag", "aria-hidden": "true" }, short(ent.label), sure));
    if (!ent.own && ent.confidence !== null) box.style.setProperty("--sure", ent.confidence.toFixed(2));
    box.title = ent.own ? ent.label : `${ent.label}, suggested${sure ? `, ${percent(ent.confidence)} sure` : ""}`;
    ent.box = new WeakRef(box);
    return box;
  }

  /** Show the selection, and keep it in view. */
  mark({ follow = false } = {}) {
    const range = this.sheet.range();
    for (const node of this.root.querySelectorAll(".on, .chosen")) node.classList.remove("on", "chosen", "first", "last");
    if (!range) return;
    for (let i = range.start; i < range.end; i += 1) {
      this.words[i].classList.add("on");
      if (i > range.start) this.gaps[i].classList.add("on");
    }
    this.words[range.start].classList.add("first");
    this.words[range.end - 1].classList.add("last");
    for (const ent of this.sheet.chosen()) ent.box.deref()?.classList.add("chosen");
    if (follow) this.#follow(this.words[this.sheet.selection.head]);
  }

  #follow(word) {
    const box = word.getBoundingClientRect();
    const frame = this.scroll.getBoundingClientRect();
    const margin = Math.min(80, frame.height / 4);
    if (box.top < frame.top + margin) this.scroll.scrollTop -= frame.top + margin - box.top;
    else if (box.bottom > frame.bottom - margin) this.scroll.scrollTop += box.bottom - frame.bottom + margin;
  }

  /** Select the word above or below. */
  walkLines(step) {
    const selection = this.sheet.selection;
    if (!selection) return this.sheet.walk(step);
    const from = this.words[selection.head].getBoundingClientRect();
    const middle = (from.left + from.right) / 2;
    let best = null;
    let line = null;
    for (let i = selection.head + step; this.words[i]; i += step) {
      if (this.sheet.tokens[i].blank) continue;
      const box = this.words[i].getBoundingClientRect();
      const beyond = step > 0 ? box.top >= from.bottom - 2 : box.bottom <= from.top + 2;
      if (!beyond) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) > box.height / 2) break;
      const far = Math.abs((box.left + box.right) / 2 - middle);
      if (!best || far < best.far) best = { i, far };
    }
    if (best) this.#choose(best.i);
  }

  /** Select a word, or the entity that it belongs to; of an entity that is selected, the word. */
  #choose(i) {
    const ent = this.sheet.at(i);
    const range = this.sheet.range();
    const isSelected = ent && range && range.start === ent.start && range.end === ent.end;
    if (ent && !isSelected) this.sheet.selectEntity(ent);
    else this.sheet.select(i);
  }

  #indexAt(event) {
    const node = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-i]");
    return node && this.root.contains(node) ? Number(node.dataset.i) : null;
  }

  #down(event) {
    if (event.button !== 0 || !this.sheet) return;
    const target = event.target.closest("[data-i], .entity");
    const inner = target?.matches(".entity") ? target.querySelector("[data-i]") : target;
    if (!inner) {
      this.sheet.selection = null;
      this.mark();
      this.onChange();
      return;
    }
    const i = Number(inner.dataset.i);
    if (this.sheet.tokens[i].blank) return;
    this.drag = { i, before: this.sheet.selection, moved: false, touch: event.pointerType !== "mouse" };
    // Touch keeps events on the first word: the others are looked up by place.
    if (event.pointerType === "mouse") event.preventDefault();
    const range = this.sheet.range();
    const beside = range && (i === range.end || i === range.start - 1 || this.#onlyBlanks(range, i));
    if (event.shiftKey && this.sheet.selection) this.sheet.selection = { ...this.sheet.selection, head: i };
    else if (this.drag.touch && beside && !this.sheet.at(i) && !this.sheet.chosen().length) {
      this.sheet.selection = i >= range.end ? { anchor: range.start, head: i } : { anchor: range.end - 1, head: i };
    } else this.#choose(i);
    this.mark();
    this.onChange();
    this.root.focus({ preventScroll: true });
  }

  #onlyBlanks(range, i) {
    const [from, to] = i >= range.end ? [range.end, i] : [i + 1, range.start];
    return from < to && this.sheet.tokens.slice(from, to).every((token) => token.blank);
  }

  #move(event) {
    if (!this.drag) return;
    if (event.buttons === 0) return this.#up();
    const i = this.#indexAt(event);
    if (i === null || (i === this.drag.i && !this.drag.moved) || this.sheet.tokens[i].blank) return;
    this.drag.moved = true;
    this.sheet.select(this.drag.i, i);
    this.mark();
    this.onChange();
  }

  #up() {
    this.drag = null;
  }

  /** The finger scrolls: it did not mean to select. */
  #cancel() {
    if (!this.drag) return;
    this.sheet.selection = this.drag.before;
    this.drag = null;
    this.mark();
    this.onChange();
  }
}
