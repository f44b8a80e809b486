// What a text and its entities are, without the page. Entities count tokens, end exclusive:
// {start, end, label, confidence, own}; own ones were set by a person.

const RESERVED = "suh";
// What Python counts as blank; JavaScript differs.
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** The key of each label: a digit for the first nine, and a letter of its name if one is free. */
export function keysOf(labels) {
  const used = new Set(RESERVED);
  return labels.map((label, i) => {
    const plain = label.normalize("NFKD").toLowerCase().replace(/[^a-z]/g, "");
    const letter = [...plain, ..."abcdefghijklmnopqrstuvwxyz"].find((one) => !used.has(one));
    if (letter) used.add(letter);
    return { label, digit: i < 9 ? String(i + 1) : "", letter: letter ?? "" };
  });
}

/** A task as it is edited. Offsets of the server are code points; JavaScript counts otherwise. */
export class Sheet {
  constructor(task) {
    this.task = task;
    const signs = Array.from(task.text);
    let last = 0;
    this.tokens = task.tokens.map(([start, end], i) => {
      const text = signs.slice(start, end).join("");
      const before = signs.slice(last, start).join("");
      last = end;
      return { i, start, end, text, before, blank: BLANK.test(text) };
    });
    this.rest = signs.slice(last).join("");
    const given = task.spans ?? task.suggestions ?? [];
    this.ents = given.map((one) => this.entityOf(one, !!task.spans)).filter(Boolean);
    this.past = [];
    this.selection = null;
    this.touched = false;
  }

  entityOf(one, own) {
    const [from, to, label, confidence] = Array.isArray(one) ? one : [one.start, one.end, one.label, null];
    const start = this.tokens.findIndex((token) => token.start === from);
    const end = this.tokens.findIndex((token) => token.end === to) + 1;
    return start >= 0 && end > start ? { start, end, label, confidence, own } : null;
  }

  /** The entity that covers a token. */
  at(i) {
    return this.ents.find((ent) => ent.start <= i && i < ent.end) ?? null;
  }

  /** First and last selected token, without blanks at the ends; null where nothing is selected. */
  range() {
    if (!this.selection) return null;
    let [first, last] = [this.selection.anchor, this.selection.head].sort((a, b) => a - b);
    while (first < last && this.tokens[first].blank) first += 1;
    while (last > first && this.tokens[last].blank) last -= 1;
    return this.tokens[first].blank ? null : { start: first, end: last + 1 };
  }

  /** The entities that the selection touches. */
  chosen() {
    const range = this.range();
    return range ? this.ents.filter((ent) => ent.start < range.end && range.start < ent.end) : [];
  }

  select(anchor, head = anchor) {
    this.selection = { anchor, head };
  }

  selectEntity(ent) {
    this.selection = { anchor: ent.start, head: ent.end - 1 };
  }

  change(ents) {
    this.past.push(this.ents);
    this.ents = ents.sort((a, b) => a.start - b.start);
    this.touched = true;
  }

  /** Label what is selected. It takes the place of the entities that it touches. */
  label(label) {
    const range = this.range();
    if (!range) return false;
    const others = this.ents.filter((ent) => ent.end <= range.start || range.end <= ent.start);
    const ent = { ...range, label, confidence: null, own: true };
    this.change([...others, ent]);
    this.selectEntity(ent);
    return true;
  }

  /** Remove the entities that the selection touches. */
  remove() {
    const chosen = this.chosen();
    if (!chosen.length) return false;
    this.change(this.ents.filter((ent) => !chosen.includes(ent)));
    return true;
  }

  undo() {
    if (!this.past.length) return false;
    const after = this.ents;
    this.ents = this.past.pop();
    const lacks = (ents, ent) => !ents.some((one) => one.start === ent.start && one.end === ent.end && one.label === ent.label);
    const undone = this.ents.find((ent) => lacks(after, ent)) ?? after.find((ent) => lacks(this.ents, ent));
    if (undone) this.selectEntity(undone);
    return true;
  }

  /** Walk to the next word or entity. */
  walk(step) {
    const stops = this.stops();
    if (!stops.length) return;
    const range = this.selection && this.range();
    let at = -1;
    if (range) {
      at = step > 0 ? stops.findLastIndex((one) => one.start < range.end) : stops.findIndex((one) => one.end > range.start);
    } else if (step < 0) at = stops.length;
    const next = stops[Math.min(stops.length - 1, Math.max(0, at + step))];
    this.selectEntity(next);
  }

  /** Walk to the next entity. RETURNS whether there is one. */
  walkEntities(step) {
    const at = this.range();
    const next = step > 0
      ? this.ents.find((ent) => !at || ent.start >= at.end)
      : this.ents.findLast((ent) => !at || ent.end <= at.start);
    if (next) this.selectEntity(next);
    return !!next;
  }

  /** Move the end of the selection; blanks are no words. */
  extend(step) {
    if (!this.selection) return this.walk(step);
    let head = this.selection.head + step;
    while (this.tokens[head]?.blank) head += step;
    if (this.tokens[head]) this.selection = { ...this.selection, head };
  }

  /** Let the other end of the selection move from now on. */
  swap() {
    const { anchor, head } = this.selection ?? {};
    if (this.selection) this.select(head, anchor);
  }

  /** What the model suggested and nobody has changed. */
  get suggested() {
    return this.ents.filter((ent) => !ent.own);
  }

  removeSuggested() {
    if (!this.suggested.length) return false;
    this.change(this.ents.filter((ent) => ent.own));
    this.selection = null;
    return true;
  }

  stops() {
    const stops = [];
    for (let i = 0; i < this.tokens.length; i += 1) {
      const ent = this.at(i);
      if (ent) {
        stops.push(ent);
        i = ent.end - 1;
      } else if (!this.tokens[i].blank) stops.push({ start: i, end: i + 1 });
    }
    return stops;
  }

  words(range) {
    return this.tokens.slice(range.start, range.end).map((t, i) => (i ? t.before : "") + t.text).join("");
  }

  /** The entities as an answer has them. */
  spans() {
    return this.ents.map((ent) => ({
      start: this.tokens[ent.start].start,
      end: this.tokens[ent.end - 1].end,
      label: ent.label,
    }));
  }
}
