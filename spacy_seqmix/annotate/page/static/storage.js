// What the browser keeps of a run: drafts, and the name of the person.

let run = "";

/** Everything that is kept is that of one run. */
export function storeOf(name) {
  run = name;
}

function place(name) {
  return `seqmix:${run}:${name}`;
}

export function read(name) {
  try {
    return JSON.parse(localStorage.getItem(place(name)));
  } catch {
    return null;
  }
}

export function write(name, value) {
  try {
    localStorage.setItem(place(name), JSON.stringify(value));
  } catch { /* no room: only a reload would miss it */ }
}

export function forget(name) {
  localStorage.removeItem(place(name));
}

/** Remember, as long as the tab is open, that this person knows how to give a label. */
export function noteLabelled() {
  sessionStorage.setItem("seqmix:labelled", "1");
}

export function hasLabelled() {
  return sessionStorage.getItem("seqmix:labelled") !== null;
}
