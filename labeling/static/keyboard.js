// One key, one act: the expert's own keys, which never act while a text is typed or a dialog is open.

const PANELS = { guideline: "#guideline", flag: "#flag", help: "#help" };

function isText(element) {
  return element.matches?.("textarea, select, input:not([type=radio], [type=checkbox])") ?? false;
}

function togglePanel(selector) {
  const panel = document.querySelector(selector);
  if (!panel) return;
  if (panel.togglePopover()) (panel.querySelector("input[type=radio], h2[tabindex]") ?? panel.querySelector("button")).focus();
  else document.querySelector("#question")?.focus();
}

function act(name, page) {
  const { form, entries, marks, views } = page;
  const undo = document.querySelector("#undo");
  if (name in PANELS) return togglePanel(PANELS[name]);
  if (name === "undo") return undo?.elements.judgement.value ? undo.requestSubmit() : undefined;
  if (!form) return undefined;
  if (name === "yes" || name === "no") return entries.answer(name);
  if (name === "slightly" || name === "clearly" || name === "much") return entries.strength(name);
  if (name === "reasons") return entries.goToReasons();
  if (name === "text") return form.elements.reason.focus();
  if (name === "mark") return marks.goToSentences();
  if (name === "diff" || name === "lock" || name === "raw") return views.toggle(name);
  return entries.choose(name);
}

function escape(event, page) {
  const target = event.target;
  const panel = document.querySelector("#guideline:popover-open");
  if (isText(target) && !target.closest("[popover]")) target.blur();
  else if (panel) panel.hidePopover();
  else if (target.closest?.(".reasons, .answers")) document.querySelector("#question").focus();
}

export function onKey(event, page) {
  if (event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]") || page.isSending) return;
  const target = event.target;
  if (event.key === "Escape") return escape(event, page);
  const inPanel = target.closest?.("[popover]:not(#guideline)");
  if (event.key === "Enter" && event.ctrlKey && target.id === "reason") {
    event.preventDefault();
    return page.form.requestSubmit();
  }
  if (isText(target) || event.ctrlKey || event.repeat) return;
  const key = event.key.toLowerCase();
  const name = page.acts[key];
  if (inPanel && name !== "help" && name !== "flag") return;
  if (Object.keys(page.acts).length === 0) return;
  if (key === "enter") {
    // Where Enter has a meaning of its own it keeps it.
    if (!page.form || target.closest?.("button, a, summary, [data-sentence]")) return;
    event.preventDefault();
    return page.form.requestSubmit();
  }
  const isReason = target.closest?.(".reasons") && page.entries.toggleReason(key);
  if (!isReason && !name) return;
  event.preventDefault();
  if (!isReason) act(name, page);
}
