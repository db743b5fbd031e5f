// Errors marked sentence by sentence: arrows move between sentences, the space bar marks, a dialog asks for kind and severity.

export function startMarks(form, signal) {
  const dialog = document.querySelector("#mark-dialog");
  const asked = dialog.querySelector("form");
  let marking = null;

  const sentencesOf = (article) => [...article.querySelectorAll("[data-sentence]")];
  const articles = [...form.querySelectorAll("article.answer")];

  function boxOf(sentence) {
    const article = sentence.closest("article");
    const start = `${article.dataset.side}:${sentence.dataset.sentence}:`;
    return [...article.querySelectorAll("input[name=mark]")].find((box) => box.value.startsWith(start)) ?? null;
  }

  function markOf(sentence) {
    const [, , severity, ...category] = boxOf(sentence)?.value.split(":") ?? [];
    return severity ? { severity, category: category.join(":") } : null;
  }

  function draw(article) {
    for (const sentence of sentencesOf(article)) {
      const mark = markOf(sentence);
      const isWhole = sentence.classList.contains("whole");
      const what = isWhole ? `${sentence.querySelector("table") ? "Table" : "Code"}, ` : "";
      sentence.classList.toggle("marked", mark !== null);
      if (mark) sentence.dataset.mark = `${mark.category}, ${mark.severity}`;
      else delete sentence.dataset.mark;
      if (isWhole) sentence.setAttribute("aria-label", what + (mark ? `marked: ${sentence.dataset.mark}` : "no mark"));
      else sentence.setAttribute("aria-pressed", String(mark !== null));
      if (mark && !isWhole) sentence.setAttribute("aria-description", sentence.dataset.mark);
      else sentence.removeAttribute("aria-description");
    }
  }

  function change(sentence, mark) {
    const article = sentence.closest("article");
    boxOf(sentence)?.closest("li").remove();
    if (mark) {
      const item = document.createElement("li");
      const label = document.createElement("label");
      const box = Object.assign(document.createElement("input"), { type: "checkbox", name: "mark", checked: true });
      box.value = `${article.dataset.side}:${sentence.dataset.sentence}:${mark.severity}:${mark.category}`;
      label.append(box, ` Sentence ${Number(sentence.dataset.sentence) + 1}: ${mark.category}, ${mark.severity}`);
      item.append(label);
      article.querySelector(".marks").append(item);
    }
    draw(article);
    form.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function focusOn(sentence) {
    const article = sentence.closest("article");
    for (const one of sentencesOf(article)) one.tabIndex = one === sentence ? 0 : -1;
    sentence.focus();
  }

  function ask(sentence) {
    if (form.ariaBusy || !dialog.querySelector("input[name=category]")) return;
    marking = sentence;
    const mark = markOf(sentence);
    const words = sentence.textContent.trim().replace(/\s+/g, " ");
    dialog.querySelector("#mark-quote").textContent = words.length > 240 ? `${words.slice(0, 240)}…` : words;
    for (const radio of asked.elements.category) radio.checked = radio.value === mark?.category;
    for (const radio of asked.elements.severity) radio.checked = radio.value === mark?.severity;
    dialog.querySelector("#mark-remove").hidden = mark === null;
    dialog.showModal();
    dialog.querySelector("#mark-title").focus();
  }

  function close(mark) {
    const sentence = marking;
    marking = null;
    dialog.close();
    if (mark !== undefined) change(sentence, mark);
    focusOn(sentence);
  }

  function chosen() {
    const [category, severity] = [asked.elements.category.value, asked.elements.severity.value];
    return category && severity ? { category, severity } : null;
  }

  function onDialogKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Delete" || event.key === "Backspace") return close(null);
    const radio = dialog.querySelector(`input[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!radio) return;
    event.preventDefault();
    radio.checked = true;
    radio.focus();
    if (radio.name === "severity" && chosen()) close(chosen());
  }

  function onSentenceKey(event) {
    const sentence = event.target.closest("[data-sentence]");
    if (!sentence || form.ariaBusy || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = sentencesOf(sentence.closest("article"));
    const at = all.indexOf(sentence);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) focusOn(all[Math.min(Math.max(to, 0), all.length - 1)]);
    else if (event.key === " " && markOf(sentence)) change(sentence, null);
    else if (event.key === " " || event.key === "Enter") ask(sentence);
    else return;
    event.preventDefault();
  }

  for (const article of articles) {
    sentencesOf(article).forEach((sentence, at) => {
      sentence.tabIndex = at === 0 ? 0 : -1;
      sentence.setAttribute("role", sentence.classList.contains("whole") ? "group" : "button");
      sentence.addEventListener("click", () => getSelection().isCollapsed && focusOn(sentence), { signal });
    });
    article.querySelector(".laid-out").addEventListener("keydown", onSentenceKey, { signal });
    article.querySelector(".marks").addEventListener(
      "change",
      (event) => {
        event.target.closest("li").remove();
        draw(article);
        article.querySelector('[data-sentence][tabindex="0"]')?.focus();
        form.dispatchEvent(new Event("change", { bubbles: true }));
      },
      { signal },
    );
    // The button speaks of the sentence that was last in focus; pressing it takes the focus away, so it is remembered.
    article.querySelector(".mark-error").addEventListener(
      "click",
      () => {
        const current = article.querySelector('[data-sentence][tabindex="0"]');
        if (current) ask(current);
      },
      { signal },
    );
    draw(article);
  }
  dialog.addEventListener("keydown", onDialogKey, { signal });
  dialog.addEventListener("cancel", (event) => (event.preventDefault(), close(undefined)), { signal });
  dialog.querySelector("#mark-cancel").addEventListener("click", () => close(undefined), { signal });
  dialog.querySelector("#mark-remove").addEventListener("click", () => close(null), { signal });
  asked.addEventListener("submit", (event) => (event.preventDefault(), close(chosen() ?? undefined)), { signal });

  return {
    // First the left answer's sentences; from there, the right one's.
    goToSentences() {
      const here = document.activeElement?.closest?.("article.answer");
      const article = here ? articles[(articles.indexOf(here) + 1) % articles.length] : articles[0];
      const current = article.querySelector('[data-sentence][tabindex="0"]');
      if (current) focusOn(current);
    },
  };
}
