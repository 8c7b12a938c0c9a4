// The gallery and the comparison of two methods: what queries found, drawn when it is asked for.
"use strict";
(() => {
  const MARKS = { right: "✓", near: "≈", wrong: "✗" };
  const PER_PAGE = 6;

  function make(tag, className, ...content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
  }

  // Names and texts of strangers may run in either direction.
  const isolated = (text) => make("bdi", "", text);

  // What items are, for one part of the page.
  function poolOf(data, thumbnails) {
    const near = Object.fromEntries(Object.entries(data.near ?? {}).map(([label, labels]) => [label, new Set(labels)]));
    return {
      idOf: (item) => data.items[item]?.[0] ?? `test item ${item}`,
      classOf: (item) => data.items[item]?.[1] ?? null,
      nameOf: (item) => data.classes[data.items[item]?.[1]] ?? "",
      textOf: (item) => data.items[item]?.[2] ?? "",
      picture: (item) => thumbnails()[item],
      mark(query, item) {
        const [wanted, found] = [this.classOf(query), this.classOf(item)];
        if (wanted === null || found === null) return null;
        return wanted === found ? "right" : near[wanted]?.has(found) ? "near" : "wrong";
      },
    };
  }

  function frame(pool, item, mark) {
    const box = make("span", "found-frame");
    const picture = pool.picture(item);
    if (picture === undefined) {
      box.append(make("span", "found-id", isolated(pool.idOf(item))));
    } else {
      const image = make("img");
      image.alt = pool.idOf(item);
      image.width = image.height = 40;
      image.src = `data:image/${picture.startsWith("UklG") ? "webp" : "png"};base64,${picture}`;
      box.append(image);
    }
    if (mark) {
      const sign = make("span", "found-sign", MARKS[mark]);
      sign.setAttribute("aria-hidden", "true");
      box.append(sign);
    }
    return box;
  }

  // What a query found, nearest first.
  function listOf(pool, query, items, label, ofTexts) {
    const list = make("ol", "found-list");
    list.setAttribute("aria-label", label);
    for (const item of items) {
      const mark = pool.mark(query, item);
      const entry = make("li", mark ? `found-${mark}` : "", frame(pool, item, mark));
      if (mark) entry.append(make("span", "found-spoken", `${mark}: `));
      entry.append(make("span", "found-name", isolated(pool.nameOf(item) || pool.idOf(item))));
      if (ofTexts && pool.textOf(item)) entry.append(make("span", "found-name", isolated(pool.textOf(item))));
      list.append(entry);
    }
    return list;
  }

  function headOf(pool, query, level) {
    const words = make("div", "", make(level, "", isolated(pool.idOf(query))));
    words.append(make("p", "", isolated(pool.nameOf(query))));
    if (pool.textOf(query)) words.append(make("p", "", isolated(pool.textOf(query))));
    return make("header", "", frame(pool, query, null), words);
  }

  const controlOf = (section, name) => section.querySelector(`[data-control="${name}"]`);

  // Without a script there is nothing to choose and nothing to see.
  function open(section) {
    section.querySelector("[data-drawn]").hidden = false;
    for (const form of section.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
  }

  hbPage.each("gallery", (section, data) => {
    if (data === null) return;
    const pool = poolOf(data, () => data.thumbnails);
    const controls = Object.fromEntries(
      ["method", "direction", "class", "outcome"].map((name) => [name, controlOf(section, name)]),
    );
    const place = section.querySelector("[data-queries]");
    const status = section.querySelector("[data-status]");
    let page = 0;

    function directions() {
      return controls.direction.value === "" ? data.directions.map((_, number) => number) : [Number(controls.direction.value)];
    }

    // In one of the directions shown the first item is, or in all of them, of the right class.
    function wanted(number) {
      const query = data.queries[number];
      if (controls.class.value !== "" && pool.classOf(query) !== Number(controls.class.value)) return false;
      if (controls.outcome.value === "") return true;
      const lists = directions().map((direction) => data.found[number][Number(controls.method.value)][direction]);
      const hits = lists.filter((items) => items.length).map((items) => pool.mark(query, items[0]) === "right");
      return controls.outcome.value === "hit" ? hits.length > 0 && hits.every(Boolean) : hits.includes(false);
    }

    function draw() {
      const method = Number(controls.method.value);
      const numbers = data.queries.map((_, number) => number).filter(wanted);
      const pages = Math.max(1, Math.ceil(numbers.length / PER_PAGE));
      page = Math.min(page, pages - 1);
      const shown = numbers.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
      status.textContent = numbers.length
        ? `Queries ${page * PER_PAGE + 1} to ${page * PER_PAGE + shown.length} of ${numbers.length}, by ${data.methods[method]}`
        : "No query is so; choose another class or outcome.";
      place.replaceChildren(...shown.map((number) => {
        const query = data.queries[number];
        const rows = make("div", "found-rows");
        for (const direction of directions()) {
          const items = data.found[number][method][direction];
          if (!items.length) continue;
          const title = data.directions[direction];
          const list = listOf(pool, query, items, `${title}, nearest first`, title.endsWith("Text"));
          rows.append(make("div", "found-row", make("h4", "", title), list));
        }
        return make("article", "found-query", headOf(pool, query, "h3"), rows);
      }));
      for (const button of section.querySelectorAll("[data-step]")) {
        const next = page + Number(button.dataset.step);
        button.setAttribute("aria-disabled", String(next < 0 || next >= pages));
      }
    }

    for (const [name, control] of Object.entries(controls)) {
      control.addEventListener("change", () => {
        // The same queries under another method.
        if (name !== "method" || controls.outcome.value !== "") page = 0;
        draw();
      });
    }
    for (const button of section.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => {
        if (button.getAttribute("aria-disabled") === "true") return;
        page += Number(button.dataset.step);
        draw();
        // From the lower buttons to the first of the new queries.
        if (place.getBoundingClientRect().top < 0) place.scrollIntoView();
      });
    }
    open(section);
    draw();
  });

  hbPage.each("versus", (section, data) => {
    let thumbnails = null;
    const pool = poolOf(data, () => {
      // Kept once, with the gallery of the same results, where the page has one.
      if (thumbnails === null) {
        const scope = section.closest("article") ?? document;
        const gallery = scope.querySelector('section[data-section="gallery"] > script[type="application/json"]');
        thumbnails = gallery === null ? {} : JSON.parse(gallery.textContent).thumbnails;
      }
      return thumbnails;
    });
    const [first, second, direction] = ["first", "second", "direction"].map((name) => controlOf(section, name));
    const table = section.querySelector(".versus-table");
    const percent = (share, digits = 1) => ((100 * share) / data.unit).toFixed(digits);
    // A true minus sign is as wide as a plus, and zero has neither.
    const signed = (share) => {
      const text = percent(Math.abs(share));
      return Number(text) === 0 ? text : `${share < 0 ? "−" : "+"}${text}`;
    };

    // The columns of a pair as seen from A.
    function columnsOf(a, b) {
      const pair = data.pairs[a < b ? `${a}-${b}` : `${b}-${a}`];
      if (pair === undefined) return null;
      const columns = pair.columns.map(([place, one, other, low, high, won, lost]) => (
        a < b
          ? { place, one, other, low, high, won, lost }
          : { place, one: other, other: one, low: low === null ? null : -high, high: low === null ? null : -low, won: lost, lost: won }
      ));
      return { seeds: data.seeds[pair.seeds], set: pair.seeds, columns };
    }

    const SPACE = "http://www.w3.org/2000/svg";
    function drawn(name, attributes) {
      const element = document.createElementNS(SPACE, name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      return element;
    }

    function bar(column, reach) {
      const picture = drawn("svg", { viewBox: "-105 -8 210 16", "aria-hidden": "true", preserveAspectRatio: "none" });
      const at = (share) => (100 * share) / reach;
      const stroke = { stroke: "currentColor", "vector-effect": "non-scaling-stroke" };
      picture.append(drawn("line", { x1: 0, x2: 0, y1: -8, y2: 8, ...stroke, opacity: 0.5 }));
      if (column.low !== null) {
        picture.append(drawn("line", { x1: at(column.low), x2: at(column.high), y1: 0, y2: 0, ...stroke, "stroke-width": 2 }));
      }
      const middle = at(column.one - column.other);
      picture.append(drawn("rect", { x: middle - 3, y: -4, width: 6, height: 8, fill: "currentColor" }));
      return picture;
    }

    function drawTable(found) {
      for (const body of table.querySelectorAll("tbody")) body.remove();
      const ends = found.columns.flatMap(({ one, other, low, high }) => [one - other, low ?? 0, high ?? 0]);
      const reach = Math.max(1, ...ends.map(Math.abs));
      const bodies = new Map();
      for (const column of found.columns) {
        const [task, metric] = data.columns[column.place];
        const group = metric === "accuracy" ? "Classification" : task;
        if (!bodies.has(group)) {
          const heading = make("th", "", group);
          heading.scope = "rowgroup";
          heading.colSpan = 8;
          bodies.set(group, make("tbody", "", make("tr", "", heading)));
        }
        const name = make("th", "", metric === "accuracy" ? `${task} accuracy` : metric);
        name.scope = "row";
        const sure = column.low !== null && (column.low > 0 || column.high < 0);
        const interval = column.low === null ? "–" : `${signed(column.low)} to ${signed(column.high)}`;
        bodies.get(group).append(make(
          "tr", sure ? "versus-sure" : "", name,
          make("td", "", signed(column.one - column.other)), make("td", "", interval),
          make("td", "", bar(column, reach)),
          make("td", "", percent(column.one)), make("td", "", percent(column.other)),
          make("td", "", `${percent(column.won)} %`), make("td", "", `${percent(column.lost)} %`),
        ));
      }
      table.append(...bodies.values());
      const names = [first, second].map((control) => data.methods[Number(control.value)]);
      table.querySelector('[data-name="first"]').replaceChildren("A: ", isolated(names[0]));
      table.querySelector('[data-name="second"]').replaceChildren("B: ", isolated(names[1]));
    }

    function summarise(found) {
      const told = found.columns.filter((column) => column.low !== null);
      const ahead = told.filter((column) => column.low > 0).length;
      const behind = told.filter((column) => column.high < 0).length;
      const seeds = `${found.seeds.length === 1 ? "seed" : "seeds"} ${found.seeds.join(", ")}`;
      return told.length
        ? `On ${seeds}: of ${told.length} numbers A is ahead in ${ahead} and B in ${behind} by an interval that leaves out 0 (in bold).`
        : `On ${seeds}: an interval needs two seeds that both methods finished, so there is none.`;
    }

    function drawClasses(found, a, b) {
      const place = section.querySelector("[data-classes]");
      if (place === null) return;
      const rates = [a, b].map((method) => data.rates[found.set][method]?.[Number(direction.value)] ?? []);
      const differences = rates[0]
        .map((rate, label) => ({ label, rate, other: rates[1][label] ?? null }))
        .filter(({ rate, other }) => rate !== null && other !== null)
        .map((entry) => ({ ...entry, gain: entry.rate - entry.other }));
      const winning = (sign) => differences.filter(({ gain }) => sign * gain > 0).sort((x, y) => sign * (y.gain - x.gain) || x.label - y.label);
      const [ahead, behind] = [winning(1), winning(-1)];
      section.querySelector("[data-classes-summary]").textContent =
        `A is ahead in ${ahead.length} classes, B in ${behind.length}; in ${differences.length - ahead.length - behind.length} they are equal.`;
      place.replaceChildren(...[["A", a, ahead], ["B", b, behind]].map(([letter, method, classes]) => {
        const list = make("ol", "");
        for (const { label, rate, other, gain } of classes.slice(0, 8)) {
          const queries = data.sizes[label];
          list.append(make("li", "", isolated(data.classes[label]), ` ${signed(gain)} `,
            make("span", "quiet", `(A ${percent(rate)}, B ${percent(other)}; ${queries} ${queries === 1 ? "query" : "queries"})`)));
        }
        const title = make("h4", "", `${letter} wins most: `, isolated(data.methods[method]));
        return make("div", "", title, classes.length ? list : make("p", "quiet", "No class."));
      }));
    }

    function drawQueries(a, b) {
      const place = section.querySelector("[data-queries]");
      const name = Number(direction.value);
      const key = ["i2i", "i2t", "t2i", "t2t"][name];
      const differing = (data.differing[a < b ? `${a}-${b}-${key}` : `${b}-${a}-${key}`] ?? []).map(
        ([query, one, other]) => (a < b ? { query, ranks: [one, other] } : { query, ranks: [other, one] }),
      );
      // Those that A ranks better come first.
      const gain = ({ ranks }) => (ranks[0] ? 1 / ranks[0] : 0) - (ranks[1] ? 1 / ranks[1] : 0);
      differing.sort((x, y) => Math.sign(gain(y)) - Math.sign(gain(x)));
      if (!differing.length) {
        place.replaceChildren(make("p", "quiet", "No query: both find the right class at the same rank everywhere."));
        return;
      }
      place.replaceChildren(...differing.map(({ query, ranks }) => {
        const rows = make("div", "found-rows");
        [["A", a], ["B", b]].forEach(([letter, method], side) => {
          const rank = ranks[side] ? `first right item at rank ${ranks[side]}` : `no right item within rank ${data.depth}`;
          const title = make("h5", "", `${letter}, `, isolated(data.methods[method]), `: ${rank}`);
          const items = data.lists[`${method}-${name}-${query}`];
          const label = `What ${letter} finds, nearest first`;
          rows.append(make("div", "found-row", title,
            items ? listOf(pool, query, items, label, key.endsWith("t")) : make("p", "quiet", "What it found was not kept.")));
        });
        return make("article", "found-query", headOf(pool, query, "h4"), rows);
      }));
    }

    function draw() {
      const [a, b] = [Number(first.value), Number(second.value)];
      const found = a === b ? null : columnsOf(a, b);
      section.querySelector("[data-summary]").textContent =
        found !== null ? summarise(found) : a === b ? "A and B are the same method; choose two." : "These two have finished no seed in common.";
      // What is not compared is not there to be read.
      for (const part of section.querySelectorAll("[data-summary] ~ *")) part.hidden = found === null;
      if (found === null) return;
      drawTable(found);
      drawClasses(found, a, b);
      drawQueries(a, b);
    }

    for (const control of [first, second, direction]) control.addEventListener("change", draw);
    section.querySelector("[data-swap]").addEventListener("click", () => {
      [first.value, second.value] = [second.value, first.value];
      draw();
    });
    open(section);
    draw();
  });
})();
