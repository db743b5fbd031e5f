// What belongs together in the form: a verdict implies marks of release, a preference has a strength, some need a reason.

const IMPLIED = { both_acceptable: "yes", neither_acceptable: "no" };
const BETTER = { left_better: ["left", "right"], right_better: ["right", "left"] };

export function startEntries(form, signal) {
  const needing = form.dataset.needing.split(" ");
  const fields = form.elements;

  const release = (side) => fields[`${side}_acceptable`];
  const verdict = () => fields.verdict.value;

  function setRelease(side, value) {
    for (const radio of release(side)) radio.checked = radio.value === value;
  }

  // The better answer is asked for first, then the other one.
  function nextRelease() {
    return (BETTER[verdict()] ?? []).find((side) => release(side).value === "") ?? null;
  }

  function refresh() {
    const next = nextRelease();
    for (const group of form.querySelectorAll(".mark-release")) {
      group.classList.toggle("asked-now", group.dataset.side === next);
      if (group.dataset.side === next) group.scrollIntoView({ block: "nearest" });
    }
    const isTicked = form.querySelector("input[name=reason_code]:checked") !== null;
    const isDue = needing.includes(verdict()) && !isTicked && fields.reason.value.trim() === "";
    fields.reason.setCustomValidity(isDue ? "This verdict needs a reason: tick one, or write a few words." : "");
    form.querySelector("#reason-due")?.classList.toggle("is-due", isDue);
  }

  function verdictChanged() {
    const implied = IMPLIED[verdict()] ?? "";
    setRelease("left", implied);
    setRelease("right", implied);
    if (!(verdict() in BETTER)) for (const radio of fields.strength) radio.checked = false;
  }

  // What a key sets is told as a change, as if it had been clicked.
  function tell(element) {
    element.dispatchEvent(new Event("change", { bubbles: true }));
  }

  form.addEventListener(
    "change",
    (event) => {
      if (event.target.name === "verdict") verdictChanged();
      refresh();
    },
    { signal },
  );
  fields.reason.addEventListener("input", refresh, { signal });
  refresh();

  return {
    choose(value) {
      const radio = document.getElementById(value);
      radio.checked = true;
      if (value === "cannot_judge") fields.reason.focus();
      else radio.focus({ preventScroll: true });
      tell(radio);
    },
    strength(name) {
      if (!(verdict() in BETTER)) return;
      const radio = document.getElementById(name);
      radio.checked = true;
      tell(radio);
    },
    answer(value) {
      const side = nextRelease();
      if (side === null) return;
      setRelease(side, value);
      // An answer that is not acceptable cannot be better than one that is.
      if (value === "no" && nextRelease() !== null && side === BETTER[verdict()][0]) setRelease(nextRelease(), "no");
      tell(release(side)[0]);
    },
    goToReasons() {
      (form.querySelector("input[name=reason_code]") ?? fields.reason).focus();
    },
    // The reason of a letter, while the focus is among the reasons.
    toggleReason(letter) {
      const boxes = [...form.querySelectorAll("input[name=reason_code]")];
      const box = boxes[letter.length === 1 ? letter.charCodeAt(0) - 97 : -1];
      if (!box) return false;
      box.checked = !box.checked;
      box.focus();
      tell(box);
      return true;
    },
    tell,
  };
}
