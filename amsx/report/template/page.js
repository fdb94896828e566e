"use strict";
// Colours: as the system says, or light, or dark; remembered where the browser allows it.
(() => {
  const button = document.getElementById("theme");
  const themes = ["auto", "light", "dark"];
  const said = { auto: "as the system", light: "light", dark: "dark" };
  function paint(theme) {
    document.documentElement.dataset.theme = theme;
    button.textContent = theme[0].toUpperCase() + theme.slice(1);
    button.setAttribute("aria-label", `Colours: ${said[theme]}`);
    try { localStorage.setItem("amsx-theme", theme); } catch { /* private windows and some file: origins refuse */ }
  }
  button.addEventListener("click", () =>
    paint(themes[(themes.indexOf(document.documentElement.dataset.theme || "auto") + 1) % 3]));
  let kept = null;
  try { kept = localStorage.getItem("amsx-theme"); } catch { /* as above */ }
  paint(themes.includes(kept) ? kept : "auto");
})();

// A table that is wider than the window says so, and can be scrolled by keys.
(() => {
  const mark = (box) => {
    const wide = box.scrollWidth > box.clientWidth + 1;
    box.classList.toggle("wide", wide);
    if (wide) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const watcher = new ResizeObserver((changes) => {
    for (const box of new Set(changes.map(({ target }) => target.closest(".scroll")))) if (box) mark(box);
  });
  for (const box of document.querySelectorAll(".scroll")) {
    watcher.observe(box);
    for (const child of box.children) watcher.observe(child);
    new MutationObserver(() => mark(box)).observe(box, { childList: true });
  }
})();
