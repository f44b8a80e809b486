"use strict";
(() => {
  const STEP = 20;
  const { parents, examples: data } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const controls = ["arm", "round", "type", "verdict", "text", "order"].map((name) => byId("f-" + name));
  const [arm, round, type, verdict, text, order] = controls;
  const typeOf = (tag) => (tag && tag !== "O" ? tag.replace(/^[BI]-/, "") : "");
  let shown = STEP;

  const tagsOf = (token) => (token.shares ? token.shares.map(([tag]) => tag) : [token.tag]);
  for (const one of data) {
    one.types = new Set(one.child.tokens.flatMap(tagsOf).map(typeOf).filter(Boolean));
    one.text = one.child.tokens.map((t) => t.text + (t.space ? " " : "")).join("").toLowerCase();
  }
  const types = [...new Set(data.flatMap((one) => [...one.types]))].sort();
  const colour = (tag) => {
    const found = types.indexOf(typeOf(tag));
    return found < 0 ? "var(--outside)" : `var(--t${found % 7})`;
  };

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const fill = (select, values) => {
    for (const value of values) select.append(element("option", { value }, String(value)));
  };
  fill(arm, new Set(data.map((one) => one.arm)));
  fill(round, [...new Set(data.map((one) => one.round))].sort((a, b) => a - b));
  fill(type, types);
  fill(verdict, [...new Set(data.map((one) => one.verdict))].sort());
  for (const name of [...types, ""]) {
    const swatch = element("i");
    swatch.style.background = colour(name);
    byId("legend").append(element("li", {}, swatch, name || "outside"));
  }

  const shareText = (shares) => shares.map(([tag, share]) => `${tag} ${share.toFixed(2)}`).join(", ");
  const tokenView = (token) => {
    const word = element("span", { class: "word" }, token.text);
    const view = element("span", { class: token.mixed ? "tok mixed" : "tok" }, word);
    if (token.with) word.append(element("span", { class: "with" }, " + " + token.with));
    const shares = token.shares || [[token.tag, 1]];
    if (token.shares || typeOf(token.tag)) {
      const bar = element("span", { class: "bar", "aria-hidden": "true" });
      for (const [tag, share] of shares) {
        const part = element("i");
        part.style.background = colour(tag);
        part.style.flex = String(share);
        bar.append(part);
      }
      const label = shareText(shares);
      view.title = label;
      view.append(bar, element("span", { class: "hidden" }, ` (${label}) `));
    }
    return view;
  };
  const tokensView = (tokens) => {
    const view = element("div", { class: "tokens" });
    for (const token of tokens) view.append(tokenView(token), token.space ? " " : "");
    return view;
  };
  // For those who have no mouse to rest on a token.
  const sharesView = (tokens) => {
    const list = element("ul", { class: "shares" });
    for (const token of tokens) {
      if (token.shares) list.append(element("li", {}, element("b", {}, token.text), " ", shareText(token.shares)));
    }
    return list.childElementCount ? [element("details", {}, element("summary", {}, "Soft labels in numbers"), list)] : [];
  };
  const exampleView = (one) => {
    const facts = [one.arm, `seed ${one.seed}`, `round ${one.round}`];
    if (one.perplexity !== null) facts.push(`perplexity ${one.perplexity.toFixed(0)}`);
    if (one.nats !== null) facts.push(`${one.nats.toFixed(1)} nats per word in the window`);
    facts.push(one.verdict);
    const row = element("div", { class: "row" });
    one.parents.forEach((parent) => {
      const side = element("div", {}, element("b", {}, `parent, λ = ${parent.share.toFixed(2)}`));
      const body = element("div", { class: "parent" });
      body.innerHTML = parents[parent.html];
      for (const mark of body.querySelectorAll("mark")) {
        const label = mark.querySelector("span").textContent.trim();
        mark.style.background = `color-mix(in srgb, ${colour(label)} 40%, white)`;
      }
      side.append(body);
      row.append(side);
    });
    row.append(element("div", { class: "child" }, element("b", {}, "mixed"), tokensView(one.child.tokens), ...sharesView(one.child.tokens)));
    return element("article", {}, element("h3", {}, facts.join(" · ")), row);
  };

  const render = () => {
    const wanted = text.value.toLowerCase();
    const found = data.filter(
      (one) =>
        (!arm.value || one.arm === arm.value) &&
        (!round.value || String(one.round) === round.value) &&
        (!type.value || one.types.has(type.value)) &&
        (!verdict.value || one.verdict === verdict.value) &&
        (!wanted || one.text.includes(wanted)),
    );
    if (order.value) found.sort((a, b) => (a[order.value] ?? Infinity) - (b[order.value] ?? Infinity));
    byId("count").textContent = `${Math.min(shown, found.length)} of ${found.length} mixed docs`;
    byId("list").replaceChildren(...found.slice(0, shown).map(exampleView));
    byId("more").hidden = shown >= found.length;
  };
  for (const control of controls) {
    control.addEventListener("input", () => {
      shown = STEP;
      render();
    });
  }
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", () => {
    shown += STEP;
    render();
  });
  render();
})();
