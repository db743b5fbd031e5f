// Time on a pair: active_ms leaves out pauses and a hidden page, wall_ms leaves out nothing.

const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "scroll"];

export function startClock(form, signal) {
  const idleMs = Number(form.dataset.idleMs);
  const wallBefore = Number(form.elements.wall_ms.value || 0);
  const shownAt = performance.now();
  let activeMs = Number(form.elements.active_ms.value || 0);
  let lastSign = document.visibilityState === "visible" ? shownAt : null;

  // A gap between two signs of life longer than the limit was a pause: none of it counts.
  function note() {
    const now = performance.now();
    if (lastSign !== null && now - lastSign <= idleMs) activeMs += now - lastSign;
    lastSign = document.visibilityState === "visible" ? now : null;
  }

  for (const sign of SIGNS) document.addEventListener(sign, note, { signal, passive: true, capture: true });
  document.addEventListener("visibilitychange", note, { signal });

  return {
    write() {
      note();
      form.elements.active_ms.value = String(Math.round(activeMs));
      form.elements.wall_ms.value = String(Math.round(wallBefore + performance.now() - shownAt));
    },
  };
}
