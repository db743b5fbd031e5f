// Three ways to look at the answers, all off at first: the words that differ, scrolling together, the text as written.

const MOST_WORDS = 3000;

// Which words of two lists are in no longest common subsequence of them.
export function differing(left, right) {
  const [n, m] = [left.length, right.length];
  if (n > MOST_WORDS || m > MOST_WORDS) {
    const [inLeft, inRight] = [new Set(left), new Set(right)];
    return [left.map((word) => !inRight.has(word)), right.map((word) => !inLeft.has(word))];
  }
  const longest = Array.from({ length: n + 1 }, () => new Uint16Array(m + 1));
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      longest[i][j] = left[i] === right[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const [onlyLeft, onlyRight] = [new Array(n).fill(true), new Array(m).fill(true)];
  for (let i = 0, j = 0; i < n && j < m; ) {
    if (left[i] === right[j]) onlyLeft[i++] = onlyRight[j++] = false;
    else if (longest[i + 1][j] >= longest[i][j + 1]) i += 1;
    else j += 1;
  }
  return [onlyLeft, onlyRight];
}

function wordsOf(root) {
  const words = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const found of node.data.matchAll(/[\p{L}\p{N}][\p{L}\p{N}.,'’-]*[\p{L}\p{N}]|[\p{L}\p{N}]/gu)) {
      words.push({ node, at: found.index, text: found[0] });
    }
  }
  return words;
}

function rangeOf({ node, at, text }) {
  const range = document.createRange();
  range.setStart(node, at);
  range.setEnd(node, at + text.length);
  return range;
}

export function startViews(form, signal) {
  const panes = [...form.querySelectorAll(".pane")];
  const isOn = { diff: false, lock: false, raw: false };

  function drawDifferences() {
    CSS.highlights?.delete("differs");
    if (!isOn.diff || !CSS.highlights) return;
    const [left, right] = panes.map((pane) => wordsOf(pane.querySelector(isOn.raw ? ".written" : ".laid-out")));
    const flags = differing(left.map((word) => word.text), right.map((word) => word.text));
    const ranges = [left, right].flatMap((words, side) => words.filter((_, at) => flags[side][at]).map(rangeOf));
    CSS.highlights.set("differs", new Highlight(...ranges));
  }

  function drawRaw() {
    for (const pane of panes) {
      pane.querySelector(".laid-out").hidden = isOn.raw;
      pane.querySelector(".written").hidden = !isOn.raw;
    }
  }

  function toggle(name) {
    isOn[name] = !isOn[name];
    document.getElementById(name).setAttribute("aria-pressed", String(isOn[name]));
    if (name === "raw") drawRaw();
    if (name !== "lock") drawDifferences();
  }

  // Each pane follows the other by its share of the way; the one that follows does not lead back.
  let following = null;
  function follow(event) {
    if (!isOn.lock || following === event.target) return void (following = null);
    const other = panes.find((pane) => pane !== event.target);
    const share = event.target.scrollTop / Math.max(event.target.scrollHeight - event.target.clientHeight, 1);
    const top = Math.round(share * (other.scrollHeight - other.clientHeight));
    if (Math.abs(other.scrollTop - top) < 1) return;
    following = other;
    other.scrollTop = top;
  }

  for (const name of Object.keys(isOn)) {
    document.getElementById(name).addEventListener("click", () => toggle(name), { signal });
  }
  for (const pane of panes) pane.addEventListener("scroll", follow, { signal });
  signal.addEventListener("abort", () => CSS.highlights?.delete("differs"));
  return { toggle };
}
