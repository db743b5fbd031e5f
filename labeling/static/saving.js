// Nothing entered is lost: drafts go to the server as they are typed, and what cannot be sent is kept here and tried again.
// The server counts a form once however often it comes: assignment and revision are its key.

const DRAFT_AFTER_MS = 1000;
const RETRY_MS = [1000, 2000, 4000, 8000];
const ENDED = "Your session has ended. What you entered is kept here; sign in again, in another tab, and it is sent.";
const REFUSED = "Nothing more can be saved for this pair: it is no longer yours. Reload the page.";
const OFFLINE = "Not saved yet: the server cannot be reached. Trying again; keep this page open.";

let isUnsaved = false;

function say(text, { signIn = false } = {}) {
  const trouble = document.querySelector("#trouble");
  if (!trouble || (trouble.textContent.startsWith(text) && !trouble.hidden === Boolean(text))) return;
  trouble.hidden = !text;
  trouble.textContent = text;
  if (signIn) {
    const link = Object.assign(document.createElement("a"), { href: "/sign-in", target: "_blank", textContent: "Sign in" });
    trouble.append(" ", link);
  }
}

// Waits a while, and no longer than until the network or the reader is back.
function pause(ms) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const name of ["online", "focus"]) window.removeEventListener(name, done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const name of ["online", "focus"]) window.addEventListener(name, done);
  });
}

function isSignedOut(response) {
  return response.status === 401 || new URL(response.url).pathname === "/sign-in";
}

// A new session has a new token for its forms; it stands on every page.
async function renewToken() {
  const response = await fetch("/judge");
  if (!response.ok || isSignedOut(response)) return null;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const token = page.querySelector("input[name=csrf]")?.value ?? null;
  if (token) for (const field of document.querySelectorAll("input[name=csrf]")) field.value = token;
  return token;
}

async function post(path, body, options = {}) {
  const response = await fetch(path, { method: "POST", body: new URLSearchParams(body), ...options });
  if (!isSignedOut(response) && response.status !== 403) return response;
  const token = await renewToken();
  if (token === null || token === body.get("csrf")) return response;
  body.set("csrf", token);
  return fetch(path, { method: "POST", body: new URLSearchParams(body), ...options });
}

// Sends until the server has answered; only what it answered ends the loop.
async function postUntilAnswered(path, body) {
  for (let turn = 0; ; turn += 1) {
    try {
      const response = await post(path, body);
      if (!isSignedOut(response) && response.status < 500) return response;
      say(isSignedOut(response) ? ENDED : OFFLINE, { signIn: isSignedOut(response) });
    } catch {
      say(OFFLINE);
    }
    isUnsaved = true;
    await pause(RETRY_MS[Math.min(turn, RETRY_MS.length - 1)]);
  }
}

export async function sendForm(page, event, show) {
  event.preventDefault();
  if (page.isSending) return;
  page.isSending = true;
  const sent = event.target;
  if (sent !== page.form) await page.drafts?.flush();
  page.clock?.write();
  const body = new FormData(sent);
  // What is on its way is what was entered: nothing can be changed until the server has answered.
  for (const part of page.form?.querySelectorAll(".dock, .marks, .mark-release") ?? []) part.inert = true;
  page.form?.setAttribute("aria-busy", "true");
  const path = sent.getAttribute("action");
  const response = await postUntilAnswered(path, body);
  const html = await response.text();
  isUnsaved = false;
  say("");
  show(html);
}

export function startDrafts(page) {
  const { form, signal } = page;
  const state = document.querySelector("#draft-state");
  let isDirty = false;
  let isStale = false;
  let timer = null;
  let saving = null;

  async function save(options) {
    isDirty = false;
    page.clock.write();
    try {
      const response = await post("/draft", new FormData(form), options);
      if (signal.aborted) return;
      if (response.ok) {
        const saved = await response.json();
        form.elements.edition.value = String(saved.edition);
        state.textContent = `draft saved ${new Date(saved.saved_at).toLocaleTimeString()}`;
        isUnsaved = false;
        say("");
      } else if (isSignedOut(response)) {
        again(ENDED, { signIn: true });
      } else if (response.status >= 500) {
        again(OFFLINE);
      } else if (!page.isSending) {
        isStale = response.status !== 422;
        say(response.status === 403 ? REFUSED : (await response.json()).sentence);
      }
    } catch {
      if (!signal.aborted) again(OFFLINE);
    }
  }

  function again(text, options) {
    isDirty = isUnsaved = true;
    say(text, options);
    pause(RETRY_MS[2]).then(() => !signal.aborted && !page.isSending && flush());
  }

  // One saving at a time, since each builds on the edition of the one before.
  async function flush(options) {
    clearTimeout(timer);
    while (saving) await saving;
    if (!isDirty || isStale || signal.aborted) return;
    saving = save(options);
    await saving;
    saving = null;
  }

  function entered() {
    isDirty = true;
    clearTimeout(timer);
    timer = setTimeout(flush, DRAFT_AFTER_MS);
  }

  form.addEventListener("input", entered, { signal });
  form.addEventListener("change", entered, { signal });
  document.addEventListener("visibilitychange", () => document.hidden && flush({ keepalive: true }), { signal });
  window.addEventListener(
    "beforeunload",
    (event) => {
      if (isUnsaved) event.preventDefault();
      else flush({ keepalive: true });
    },
    { signal },
  );
  signal.addEventListener("abort", () => clearTimeout(timer));
  return { flush };
}
