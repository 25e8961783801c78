// Sorting, the order of columns on a narrow screen, and facts about a number on pointing, tapping or moving to it with
// the arrow keys. The page reads without it.
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
    const cell = row[column];
    if ("value" in cell.dataset) return Number(cell.dataset.value);
    return numeric ? null : cell.textContent.trim();
  }

  function makeSortable(table) {
    const rows = rowsOf(table).map((row, place) => ({ row, place, body: row.parentNode, cells: [...row.cells] }));
    const sectionOf = new Map();
    let section = table.tBodies[0];
    for (const body of table.tBodies) {
      if (body.classList.contains("section")) section = body;
      for (const row of body.querySelectorAll("tr.row")) sectionOf.set(row, section);
    }
    table.addEventListener("click", (event) => {
      const button = event.target.closest("th[data-column] > button");
      if (!button) return;
      const heading = button.parentNode;
      const first = heading.dataset.first;
      const second = first === "ascending" ? "descending" : "ascending";
      const next = { none: first, [first]: second, [second]: "none" }[heading.getAttribute("aria-sort")];
      headingsOf(table.tHead).forEach((other) => other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", next);
      table.classList.toggle("sorted", next !== "none");
      if (next === "none") {
        rows.forEach(({ row, body }) => body.append(row));
        return;
      }
      const column = Number(heading.dataset.column);
      const numeric = !heading.classList.contains("text");
      const keyed = rows.map(({ row, place, cells }) => ({ row, place, key: keyOf(cells, column, numeric) }));
      keyed.sort((a, b) => compare(a, b, next === "ascending" ? 1 : -1));
      keyed.forEach(({ row }) => sectionOf.get(row).append(row)); // rows of two sections are not compared
    });
  }

  // --- a narrow screen has the main score beside the model: the page holds a second heading for that order

  const headingsOf = (head) => [...head.querySelectorAll("th[data-column]")];
  const rowsOf = (table) => [...table.querySelectorAll("tr.row")];

  function makeNarrow(table) {
    const template = table.parentNode.parentNode.querySelector("template.narrow");
    if (!template) return;
    const heads = [table.tHead, template.content.firstElementChild];
    const orders = [table.tHead, heads[1]].map((_, place) => place ? template.dataset.order.split(" ").map(Number) : null);
    const rows = rowsOf(table).map((row) => ({ row, cells: [...row.cells] }));
    const narrow = matchMedia("(max-width: 40rem)");
    function arrange() {
      const head = heads[Number(narrow.matches)], order = orders[Number(narrow.matches)];
      if (head === table.tHead) return;
      const sorted = headingsOf(table.tHead).find((heading) => heading.getAttribute("aria-sort") !== "none");
      const way = sorted ? sorted.getAttribute("aria-sort") : "none";
      for (const heading of headingsOf(head)) {
        heading.setAttribute("aria-sort", sorted && heading.dataset.column === sorted.dataset.column ? way : "none");
      }
      table.tHead.replaceWith(head);
      rows.forEach(({ row, cells }) => row.append(...(order ? order.map((place) => cells[place]) : cells)));
    }
    narrow.addEventListener("change", arrange);
    arrange();
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
    makeNarrow(table);
    tellFacts(table);
    const frame = table.parentNode;
    frame.addEventListener("scroll", () => { hide(); frame.classList.toggle("scrolled", frame.scrollLeft > 2); }, { passive: true });
  });
  // --- links open the folds around what they lead to; a table that is too wide for a sheet is set smaller

  function reveal() {
    const goal = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!goal) return;
    let closed = null;
    for (let fold = goal.closest("details"); fold; fold = fold.parentNode.closest("details")) {
      closed = fold.open ? closed : fold;
      fold.open = true;
    }
    if (closed) goal.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  reveal();

  const UPRIGHT = 690, ACROSS = 1020; // pixels between the margins of A4, as the style sheet sets them
  addEventListener("beforeprint", () => {
    const page = document.documentElement, tables = [...document.querySelectorAll("table.data, table.plain")];
    page.classList.add("measuring");
    const widths = tables.map((table) => Math.max(1, table.offsetWidth));
    page.classList.remove("measuring");
    const across = widths.some((width) => width * 0.75 > UPRIGHT); // the sheet is turned for what would be too small
    page.classList.toggle("across", across);
    tables.forEach((table, at) => {
      table.style.setProperty("--print", Math.min(1, (across ? ACROSS : UPRIGHT) / widths[at]).toFixed(3));
    });
  });

  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("scroll", hide, { passive: true });
})();
