// Warns two minutes before a session ends, and offers to stay. It asks the server, so that work in another tab counts.
const body = document.body;
const csrf = document.querySelector('.who input[name="csrf"]');
let alertBox = null;

function plan(secondsLeft, warnAtSeconds) {
  const wait = Math.max(secondsLeft - warnAtSeconds, 1);
  window.setTimeout(look, wait * 1000);
}

async function look() {
  const answer = await fetch("/session", { headers: { accept: "application/json" } }).catch(() => null);
  // No answer, or one from a proxy in between: ask again soon.
  if (answer === null || (!answer.ok && answer.status !== 401)) return plan(30, 0);
  const time = await answer.json();
  if (answer.status === 401) return show("Your session has ended. What you drafted is kept on the server; sign in again.", null);
  if (time.seconds_left > time.warn_at_seconds) {
    hide();
    return plan(time.seconds_left, time.warn_at_seconds);
  }
  show(`Your session ends in ${Math.ceil(time.seconds_left / 60)} minutes.`, "Stay signed in");
  window.setTimeout(look, Math.max(time.seconds_left, 1) * 1000);
}

async function stay() {
  const form = new URLSearchParams({ csrf: csrf ? csrf.value : "" });
  const answer = await fetch("/session/extend", { method: "POST", body: form }).catch(() => null);
  if (answer !== null && answer.ok) {
    hide();
    const time = await answer.json();
    plan(time.seconds_left, time.warn_at_seconds);
  }
}

function show(text, action) {
  hide();
  alertBox = document.createElement("div");
  alertBox.className = "session-end";
  alertBox.setAttribute("role", "alert");
  alertBox.append(Object.assign(document.createElement("span"), { textContent: text }));
  if (action !== null) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: action });
    button.addEventListener("click", stay);
    alertBox.append(button);
  } else {
    alertBox.append(Object.assign(document.createElement("a"), { href: "/sign-in", textContent: "Sign in" }));
  }
  document.querySelector("main").before(alertBox);
}

function hide() {
  if (alertBox !== null) alertBox.remove();
  alertBox = null;
}

plan(Number(body.dataset.sessionSeconds), Number(body.dataset.sessionWarn));
