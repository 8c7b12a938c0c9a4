// Filters the tables, and shows another column of numbers than the page was made with.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const form = document.querySelector("[data-controls]");
  const column = form.querySelector("[data-column]");
  const find = form.querySelector("[data-find]");
  const level = form.querySelector("[data-level]");
  const tuned = form.querySelector("[data-tuned]");
  const said = form.querySelector("[data-said]");
  const rows = [...document.querySelectorAll("tr[data-text]")];

  const element = (name, text, classes = "") => {
    const made = document.createElement(name);
    made.textContent = text;
    if (classes) made.className = classes;
    return made;
  };
  const fill = (cell, numbers) => {
    cell.replaceChildren(element(cell.tagName === "TD" && cell.closest("[data-pairs]") ? "span" : "b", numbers[0]), element("small", numbers[1]));
  };

  function showBoard(table, places) {
    const body = table.tBodies[0];
    for (const row of body.rows) {
      const place = places[Number(row.dataset.entry)];
      row.querySelector("[data-ranks]").textContent = place.ranks;
      row.querySelector("[data-value]").textContent = place.value;
      row.querySelector("[data-ends]").textContent = place.ends;
      row.querySelector("[data-best]").textContent = place.best ? " ★" : "";
      row.classList.toggle("best", place.best);
      const bar = row.querySelector(".bar");
      bar.setAttribute("x", place.bar[0]);
      bar.setAttribute("width", place.bar[1]);
    }
    const order = (row) => places[Number(row.dataset.entry)].order;
    body.append(...[...body.rows].sort((a, b) => order(a) - order(b)));
  }

  function showOver(standing) {
    const table = document.querySelector("[data-over]");
    if (table === null) return;
    document.querySelector("[data-corrected]").textContent = standing.scale;
    const body = table.tBodies[0];
    for (const row of body.rows) {
      const method = standing.methods[Number(row.dataset.method)];
      fill(row.querySelector("[data-mean]"), method.mean);
      fill(row.querySelector("[data-beats]"), method.beats);
    }
    const order = (row) => standing.methods[Number(row.dataset.method)].order;
    body.append(...[...body.rows].sort((a, b) => order(a) - order(b)));
    const pairs = document.querySelector("[data-pairs]");
    const heading = pairs.tHead.rows[0];
    heading.replaceChildren(heading.cells[0]);
    const named = (name, scope) => {
      const cell = element("th", "", scope === "col" ? "number" : "");
      cell.scope = scope;
      cell.append(element("bdi", name));
      return cell;
    };
    for (const name of standing.names) heading.append(named(name, "col"));
    pairs.tBodies[0].replaceChildren(...standing.names.map((name, place) => {
      const row = document.createElement("tr");
      row.append(named(name, "row"));
      for (const numbers of standing.wins[place]) {
        const cell = element("td", "", "number");
        if (numbers === null) cell.append(element("span", "–", "quiet"));
        else fill(cell, numbers);
        row.append(cell);
      }
      return row;
    }));
  }

  function show() {
    const chosen = column.selectedOptions[0];
    for (const place of document.querySelectorAll("[data-column-title]")) {
      place.textContent = chosen.textContent;
    }
    for (const table of document.querySelectorAll("[data-board]")) {
      showBoard(table, data.boards[Number(table.dataset.board)][column.value]);
    }
    if (data.over !== null) showOver(data.over[column.value]);
  }

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(
        words.every((word) => row.dataset.text.includes(word)) &&
        Number(row.dataset.level) >= Number(level.value) &&
        (tuned.value === "" || row.dataset.tuned === tuned.value)
      );
      if (!row.hidden && row.dataset.entry !== undefined) shown += 1;
    }
    const all = rows.filter((row) => row.dataset.entry !== undefined).length;
    said.textContent = `${shown} of ${all} results shown. Ranks are those among all.`;
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  column.addEventListener("change", show);
  for (const control of [find, level, tuned]) control.addEventListener("input", filter);
  // A browser that comes back to the page keeps what was chosen.
  show();
  filter();
})();
