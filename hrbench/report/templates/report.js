// Sorting, and facts about a number on pointing, tapping or moving to it with the arrow keys. The page reads without it.
"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const tip = document.getElementById("tip");

  // --- sorting: first one way, then the other, then the order of the suite again

  function compare(a, b, sign) {
    const empty = (key) => key === null || key === "";
    if (empty(a.key) || empty(b.key)) return empty(a.key) - empty(b.key) || a.place - b.place; // empty cells stay last
    const order = typeof a.key === "number" && typeof b.key === "number"
      ? a.key - b.key
      : String(a.key).localeCompare(String(b.key), "en", { numeric: true });
    return sign * order || a.place - b.place;
  }

  function keyOf(row, column, numeric) {
    const cell = row.cells[column];
    if ("value" in cell.dataset) return Number(cell.dataset.value);
    return numeric ? null : cell.textContent.trim();
  }

  function makeSortable(table) {
    const headings = [...table.querySelectorAll("th[data-column]")];
    const rows = [...table.querySelectorAll("tr.row")].map((row, place) => ({ row, place, body: row.parentNode }));
    const sectionOf = new Map();
    let section = table.tBodies[0];
    for (const body of table.tBodies) {
      if (body.classList.contains("section")) section = body;
      for (const row of body.querySelectorAll("tr.row")) sectionOf.set(row, section);
    }
    for (const heading of headings) {
      heading.querySelector("button").addEventListener("click", () => {
        const first = heading.dataset.first;
        const second = first === "ascending" ? "descending" : "ascending";
        const next = { none: first, [first]: second, [second]: "none" }[heading.getAttribute("aria-sort")];
        headings.forEach((other) => other.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", next);
        table.classList.toggle("sorted", next !== "none");
        if (next === "none") {
          rows.forEach(({ row, body }) => body.append(row));
          return;
        }
        const column = Number(heading.dataset.column);
        const numeric = !heading.classList.contains("text");
        const keyed = rows.map(({ row, place }) => ({ row, place, key: keyOf(row, column, numeric) }));
        keyed.sort((a, b) => compare(a, b, next === "ascending" ? 1 : -1));
        keyed.forEach(({ row }) => sectionOf.get(row).append(row)); // rows of two sections are not compared
      });
    }
  }

  // --- facts

  function show(cell) {
    const groups = cell.dataset.facts.split(" ").map((number) => facts[Number(number)]);
    tip.replaceChildren();
    groups.forEach((group, index) => {
      if (index) tip.append(document.createElement("hr"));
      for (const [label, text] of group) {
        const line = document.createElement("div");
        if (label) {
          const name = document.createElement("b");
          name.textContent = label;
          line.append(name);
        }
        line.append(text);
        tip.append(line);
      }
    });
    tip.hidden = false;
    const at = cell.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - size.width / 2), innerWidth - size.width - 8);
    const above = at.top - size.height - 6;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above > 4 ? above : Math.min(at.bottom + 6, innerHeight - size.height - 4)}px`;
    cell.setAttribute("aria-describedby", "tip");
  }

  function hide() {
    tip.hidden = true;
    document.querySelectorAll("[aria-describedby=tip]").forEach((cell) => cell.removeAttribute("aria-describedby"));
  }

  function step(cell, key) {
    const row = cell.parentNode;
    const told = (candidate) => candidate && "facts" in candidate.dataset;
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const side = key === "ArrowLeft" ? "previousElementSibling" : "nextElementSibling";
      let next = cell[side];
      while (next && !told(next)) next = next[side];
      return next;
    }
    const rows = [...row.closest("table").querySelectorAll("tr.row")];
    const way = key === "ArrowUp" ? -1 : 1;
    for (let at = rows.indexOf(row) + way; rows[at]; at += way) {
      if (told(rows[at].cells[cell.cellIndex])) return rows[at].cells[cell.cellIndex];
    }
    return null;
  }

  function tellFacts(table) {
    const first = table.querySelector("td[data-facts]");
    if (first) first.tabIndex = 0; // one stop of the tab key to a table, arrow keys from there
    const cellOf = (event) => event.target.closest("td[data-facts]");
    table.addEventListener("pointerover", (event) => (cellOf(event) ? show(cellOf(event)) : hide()));
    table.addEventListener("pointerleave", hide);
    table.addEventListener("focusin", (event) => (cellOf(event) ? show(cellOf(event)) : hide()));
    table.addEventListener("focusout", hide);
    table.addEventListener("click", (event) => cellOf(event) && show(cellOf(event)));
    table.addEventListener("keydown", (event) => {
      const cell = cellOf(event);
      if (!cell || !event.key.startsWith("Arrow")) return;
      event.preventDefault();
      const next = step(cell, event.key);
      if (!next) return;
      cell.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }

  document.querySelectorAll("table.data").forEach((table) => {
    makeSortable(table);
    tellFacts(table);
    const frame = table.parentNode;
    frame.addEventListener("scroll", () => { hide(); frame.classList.toggle("scrolled", frame.scrollLeft > 2); }, { passive: true });
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("scroll", hide, { passive: true });
})();
