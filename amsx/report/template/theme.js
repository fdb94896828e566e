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
