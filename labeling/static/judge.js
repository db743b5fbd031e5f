// The judging screen: joins the keyboard, the marks, the views, the clock and the saving to the page at hand.
// Without scripts the page is an ordinary form. The browser keeps nothing: drafts and keys live on the server.

import { startClock } from "./clock.js";
import { startEntries } from "./entries.js";
import { onKey } from "./keyboard.js";
import { startMarks } from "./marks.js";
import { sendForm, startDrafts } from "./saving.js";
import { startViews } from "./views.js";

let page = null;

// Joins everything to what the document shows now; what belonged to the page before is let go.
function start() {
  page?.ending.abort();
  const ending = new AbortController();
  document.documentElement.classList.add("scripted");
  for (const plain of document.querySelectorAll(".without-script")) plain.remove();
  const form = document.querySelector("form.judge");
  page = { form, ending, signal: ending.signal, acts: JSON.parse(document.querySelector("[data-keys]")?.dataset.keys ?? "{}") };
  if (form) {
    page.clock = startClock(form, page.signal);
    page.entries = startEntries(form, page.signal);
    page.marks = startMarks(form, page.signal);
    page.views = startViews(form, page.signal);
    page.drafts = startDrafts(page);
  }
  for (const sent of document.querySelectorAll("form.judge, #undo, #flag-form")) {
    sent.addEventListener("submit", (event) => sendForm(page, event, show), { signal: page.signal });
  }
}

// Puts a page that the server sent in place of the one that is shown, and says what happened.
function show(html) {
  const next = new DOMParser().parseFromString(html, "text/html");
  const isGuidelineOpen = document.querySelector("#guideline:popover-open") !== null;
  const said = next.querySelector("#status")?.textContent ?? "";
  document.title = next.title;
  document.querySelector("main").replaceWith(next.querySelector("main"));
  for (const part of [".progress progress", ".progress .count", ".progress .today", "#draft-state"]) {
    const [here, there] = [document.querySelector(part), next.querySelector(part)];
    if (here && there) here.replaceWith(there);
  }
  for (const gone of document.querySelectorAll(".session-end")) gone.remove();
  history.replaceState(null, "", "/judge");
  start();
  if (isGuidelineOpen) document.querySelector("#guideline")?.showPopover();
  window.scrollTo(0, 0);
  (document.querySelector("main .fault, #question") ?? document.querySelector("main")).focus();
  const place = page.form ? ` ${next.title.split(" · ")[0]}.` : "";
  document.querySelector("#status").textContent = said ? said + place : "";
}

document.addEventListener("keydown", (event) => page && onKey(event, page));

// A page brought back by the browser's back button may show a pair that was judged meanwhile.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

start();
