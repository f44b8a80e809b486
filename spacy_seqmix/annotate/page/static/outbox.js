// Answers on their way: kept in the browser until the server has them on its disk.

const WAITS = [500, 1000, 2000, 4000, 8000];
// So long an answer of the server is waited for, in milliseconds: it may hang, or the way to it.
const LONGEST = 30000;

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The run that this tab shows. Another one's server may have the address later: it must not take
// these answers.
let shown;

/** Ask the server. Errors have a status (0: no connection) and the server's message. */
export async function ask(name, body, options = {}) {
  let response, text;
  try {
    response = await fetch(`/api/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...body, run: shown }),
      signal: AbortSignal.timeout(LONGEST),
      ...options,
    });
    text = await response.text();
  } catch {
    throw Object.assign(new Error("no connection"), { status: 0 });
  }
  let content = { message: text };
  try {
    content = JSON.parse(text);
  } catch { /* a refusal in plain text */ }
  if (!response.ok) throw Object.assign(new Error(content.message), { status: response.status, code: content.code });
  return content;
}

export class Outbox {
  /** onChange: called with the number of answers on their way and the error that holds them up. */
  constructor(run, onChange) {
    shown = run;
    this.prefix = `seqmix:${run}:answer:`;
    this.onChange = onChange;
    this.answers = new Map();
    this.error = null;
    this.tries = 0;
    this.sending = null;
    for (const name of Object.keys(localStorage).sort()) {
      if (!name.startsWith(this.prefix)) continue;
      try {
        this.answers.set(name, JSON.parse(localStorage.getItem(name)));
      } catch {
        localStorage.removeItem(name);
      }
    }
    addEventListener("online", () => this.send());
    this.send();
  }

  get keys() {
    return [...this.answers.values()].map((answer) => answer.key);
  }

  /** Keep an answer and send it. RETURNS whether the browser could keep it. */
  put(answer) {
    const name = `${this.prefix}${Date.now()}-${answer.id}`;
    this.answers.set(name, answer);
    let kept = true;
    try {
      localStorage.setItem(name, JSON.stringify(answer));
    } catch {
      kept = false;
    }
    this.send();
    return kept;
  }

  /** Send everything, in order, one after the other. */
  send() {
    this.sending ??= this.#send().finally(() => {
      this.sending = null;
    });
    return this.sending;
  }

  /** What the server refuses stays in the browser's storage. */
  keepAside(name, answer) {
    try {
      localStorage.setItem(name.replace(":answer:", ":refused:"), JSON.stringify(answer));
    } catch { /* no room: the message shows it */ }
  }

  async #send() {
    clearTimeout(this.timer);
    while (this.answers.size) {
      const [name, answer] = this.answers.entries().next().value;
      this.onChange(this.answers.size, this.error);
      try {
        await ask("answer", answer);
      } catch (error) {
        if (error.status !== 422 && error.status !== 413) {
          this.error = error;
          const wait = WAITS[Math.min(this.tries, WAITS.length - 1)];
          this.tries += 1;
          this.timer = setTimeout(() => this.send(), wait);
          this.onChange(this.answers.size, error);
          return;
        }
        this.refused = { answer, error };
        this.keepAside(name, answer);
      }
      this.answers.delete(name);
      localStorage.removeItem(name);
      this.error = null;
      this.tries = 0;
    }
    this.onChange(0, null, this.refused);
    this.refused = null;
  }
}
