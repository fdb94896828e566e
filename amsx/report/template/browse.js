"use strict";
// Which videos are listed in which order, and what the address of the page says about them.
const browse = {
  /** The numbers of the videos with a class `only` and an id that contains `find` ("" for any), in `order`. */
  list(videos, { group, order, only, find }) {
    const wanted = find.trim().toLowerCase();
    const numbers = videos.map((_, i) => i).filter((i) =>
      (!only || videos[i].truth.includes(only)) && videos[i].id.toLowerCase().includes(wanted));
    if (order === "listed") return numbers;
    const sign = order === "best" ? -1 : 1;
    const score = (i) => videos[i].scores[group] ?? Infinity * sign; // one without a score is last in either order
    return numbers.sort((a, b) => (score(a) === score(b) ? a - b : sign * (score(a) - score(b))));
  },

  /** The address after its #, as {name: value}; null where it names no video, but a section or nothing. */
  read() {
    const values = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    return "video" in values ? values : null;
  },

  /** Put `values`, as {name: value}, into the address; those that are empty are left out. */
  write(values) {
    const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    try { history.replaceState(null, "", `#${new URLSearchParams(kept)}`); } catch { /* some viewers have no address */ }
  },
};
