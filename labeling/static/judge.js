// The keyboard of the judging screen. Without it the page is an ordinary form.
// Nothing is kept in the browser but the wish to use these keys or not.

const form = document.querySelector("form.judge");
const undo = document.querySelector("#undo");
const keys = document.querySelector("details.keys");
const shortcuts = document.querySelector("#shortcuts");

const VERDICT_OF_KEY = {
  1: "left_better",
  2: "right_better",
  3: "both_acceptable",
  4: "neither_acceptable",
  s: "cannot_judge",
};
const IMPLIED_MARK = { both_acceptable: "yes", neither_acceptable: "no" };
const SWITCH = "preceptor.labeling.keys";

// Time with the page in view, for the judgement's active_ms.
let activeMs = 0;
let visibleSince = document.visibilityState === "visible" ? performance.now() : null;
document.addEventListener("visibilitychange", () => {
  if (visibleSince !== null) activeMs += performance.now() - visibleSince;
  visibleSince = document.visibilityState === "visible" ? performance.now() : null;
});

function mark(side, value) {
  for (const radio of form.elements[`${side}_acceptable`]) radio.checked = radio.value === value;
}

function isMarked(side) {
  return form.elements[`${side}_acceptable`].value !== "";
}

// A verdict that says all about both answers fills their marks; choosing another one clears them.
function verdictChosen(verdict) {
  const implied = IMPLIED_MARK[verdict] ?? "";
  mark("left", implied);
  mark("right", implied);
  form.elements.reason.required = verdict === "cannot_judge";
  showNextMark();
}

// The answer that y and n speak of.
function nextMark() {
  const verdict = form.elements.verdict.value;
  if (verdict !== "left_better" && verdict !== "right_better") return null;
  return ["left", "right"].find((side) => !isMarked(side)) ?? null;
}

function showNextMark() {
  const next = nextMark();
  for (const group of form.querySelectorAll(".mark-release")) {
    group.classList.toggle("asked-now", group.dataset.side === next);
    if (group.dataset.side === next) group.scrollIntoView({ block: "nearest" });
  }
}

function choose(verdict) {
  const radio = document.getElementById(verdict);
  radio.checked = true;
  verdictChosen(verdict);
  if (verdict === "cannot_judge") form.elements.reason.focus();
  else radio.focus({ preventScroll: true });
}

function pressed(event) {
  if (event.altKey || event.metaKey || event.isComposing || event.repeat) return;
  const inText = event.target instanceof HTMLTextAreaElement;
  if (inText && event.key === "Escape") return event.target.blur();
  if (inText && event.key === "Enter" && event.ctrlKey) {
    event.preventDefault();
    return form.requestSubmit();
  }
  if (inText || event.ctrlKey || !shortcuts?.checked) return;
  const key = event.key.toLowerCase();
  const onControl = event.target.closest?.("button, a, summary, input[type=checkbox]");
  if (key in VERDICT_OF_KEY) choose(VERDICT_OF_KEY[key]);
  else if ((key === "y" || key === "n") && nextMark()) {
    mark(nextMark(), key === "y" ? "yes" : "no");
    showNextMark();
  } else if (key === "r") form.elements.reason.focus();
  else if (key === "u" && undo.elements.judgement.value) undo.requestSubmit();
  else if (key === "?") keys.open = !keys.open;
  else if (key === "enter" && !onControl) form.requestSubmit();
  else return;
  event.preventDefault();
}

if (form) {
  form.addEventListener("change", (event) => {
    if (event.target.name === "verdict") verdictChosen(event.target.value);
    else showNextMark();
  });
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    const sinceShown = visibleSince === null ? 0 : performance.now() - visibleSince;
    form.elements.active_ms.value = String(Math.round(activeMs + sinceShown));
  });
  shortcuts.closest("[hidden]").hidden = false;
  shortcuts.checked = localStorage.getItem(SWITCH) !== "off";
  shortcuts.addEventListener("change", () => localStorage.setItem(SWITCH, shortcuts.checked ? "on" : "off"));
  document.addEventListener("keydown", pressed);
  showNextMark();
} else if (undo) {
  document.addEventListener("keydown", (event) => {
    const wanted = event.key === "u" && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (wanted && undo.elements.judgement.value && localStorage.getItem(SWITCH) !== "off") undo.requestSubmit();
  });
}

// A page brought back by the browser's back button may show a pair that was judged meanwhile.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
