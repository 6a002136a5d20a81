"use strict";
// The table: sorted by its headings, filtered by text and state; the pictures follow it.
(() => {
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const pictures = document.getElementById("pictures");
  const filter = document.getElementById("filter");
  const state = document.getElementById("state");
  const count = document.getElementById("count");
  const rows = [...body.rows];
  const article = (row) => document.getElementById(`case-${row.dataset.number}`);
  const compareTexts = new Intl.Collator(undefined, { numeric: true }).compare;

  function compare(a, b, numeric) {
    // What has no value stands last, whichever way the others are sorted.
    if (a === "" || b === "") return null;
    return numeric ? Number(a) - Number(b) : compareTexts(a, b);
  }

  function sort(heading) {
    const column = heading.cellIndex;
    const numeric = heading.classList.contains("number");
    // The first click on numbers shows the highest first, but for p: there the lowest is telling.
    const first = numeric && heading.dataset.key !== "p" ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const direction = heading.getAttribute("aria-sort") === first ? other : first;
    for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    rows.sort((a, b) => {
      const [one, two] = [a.cells[column].dataset.sort, b.cells[column].dataset.sort];
      const order = compare(one, two, numeric);
      if (order === null) return (one === "") - (two === "");
      return sign * order || a.dataset.number - b.dataset.number;
    });
    body.append(...rows);
    pictures.append(...rows.map(article));
  }

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word));
      const visible = fits && (!state.value || row.dataset.state === state.value);
      row.hidden = !visible;
      article(row).hidden = !visible;
      shown += visible;
    }
    count.textContent = `${shown} of ${rows.length} shown`;
  }

  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("button").addEventListener("click", () => sort(heading));
  }
  filter.addEventListener("input", show);
  state.addEventListener("change", show);
  window.addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
    for (const each of document.images) each.loading = "eager";
  });
  show();
})();
