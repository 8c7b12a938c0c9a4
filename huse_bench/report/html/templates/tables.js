// Sorting, filtering and taking along the three tables. What is taken along is read off the table as it is shown.
"use strict";
for (const part of ["tables", "published"]) hbPage.each(part, (section, data) => {
  if (data === null) return;
  // Methods are compared with each other; controls stay below them, and printed numbers below these.
  const BELOW = { control: 1, trained: 1, printed: 2 };
  const place = (row) => BELOW[row.dataset.kind] ?? 0;
  const tables = [...section.querySelectorAll("[data-table]")].map((box) => ({
    box,
    words: data.tables[box.dataset.table],
    bodies: [...box.querySelectorAll("tbody")].map((body) => ({
      body,
      heading: body.querySelector("tr.group"),
      dashed: body.classList.contains("dashed"),
      rows: [...body.querySelectorAll("tr[data-label]")],
    })),
  }));

  // Sorting

  const number = (text) => (/^-?\d/.test(text) ? Number.parseFloat(text) : null);

  function valueOf(row, column) {
    if (column === "label") return row.dataset.label.toLowerCase();
    const cell = row.cells[Number(column) + 1];
    const text = cell === undefined || cell.classList.contains("status") ? "-" : cell.firstElementChild.textContent;
    return text === "-" ? null : (number(text) ?? text.toLowerCase());
  }

  // What is not there comes last in both directions, and what is equal keeps the order of the paper.
  function compared(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === typeof b) return sign * (a < b ? -1 : Number(a > b));
    return typeof a === "number" ? -1 : 1;
  }

  function sort(table, column, order) {
    for (const { body, rows } of table.bodies) body.append(...rows);
    for (const th of table.box.querySelectorAll("th[data-column]")) {
      th.setAttribute("aria-sort", th.dataset.column === column && order ? order : "none");
    }
    table.box.classList.toggle("sorted", Boolean(order));
    table.box.querySelector("[data-reset]").hidden = !order;
    if (order) {
      const sign = order === "ascending" ? 1 : -1;
      for (const below of [0, 1, 2]) {
        const rows = table.bodies.flatMap((group) => group.rows).filter((row) => place(row) === below);
        if (!rows.length) continue;
        const keyed = rows.map((row) => [valueOf(row, column), row]);
        keyed.sort(([a], [b]) => compared(a, b, sign));
        const home = table.bodies.find((group) => group.rows.includes(rows[0]));
        home.body.append(...keyed.map(([, row]) => row));
      }
    }
    headings(table);
  }

  // A heading stands above rows of its part of the table, a dashed line between rows of one part.
  function headings(table) {
    const sorted = table.box.classList.contains("sorted");
    let [heading, above] = [null, false];
    for (const group of table.bodies) {
      if (!group.dashed) {
        [heading, above] = [group.heading, false];
        if (heading) heading.hidden = true;
      }
      group.body.classList.toggle("dashed", group.dashed && above);
      const rows = [...group.body.querySelectorAll("tr[data-label]:not([hidden])")];
      if (!rows.length) continue;
      above = true;
      if (heading && !(sorted && rows.some((row) => place(row) === 0))) heading.hidden = false;
    }
  }

  for (const table of tables) {
    const said = table.box.querySelector("[data-taken]");
    for (const th of table.box.querySelectorAll("th[data-column]")) {
      const orders = th.dataset.column === "label" ? ["ascending", "descending"] : ["descending", "ascending"];
      th.querySelector("button").addEventListener("click", () => {
        const order = [...orders, null][orders.indexOf(th.getAttribute("aria-sort")) + 1];
        sort(table, th.dataset.column, order);
        const name = th.dataset.name ?? "method";
        said.textContent = order ? `Sorted by ${name}, ${order}. Equal numbers keep the order of the paper.` : "In the order of the paper.";
      });
    }
    table.box.querySelector("[data-reset]").addEventListener("click", () => {
      sort(table, "", null);
      said.textContent = "In the order of the paper.";
      table.box.querySelector("th[data-column] button").focus();
    });
  }

  // Filtering

  const form = section.querySelector("form.filter");

  function off(attribute) {
    const boxes = [...form.querySelectorAll(`input[data-${attribute}]:not(:checked)`)];
    return new Set(boxes.map((box) => box.dataset[attribute]));
  }

  function filter() {
    const words = (form.querySelector("[data-find]")?.value ?? "").toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);
    const [kinds, directions] = [off("kind"), off("direction")];
    for (const name of ["interval", "rank"]) section.classList.toggle(`hide-${name}`, off("beside").has(name));
    for (const table of tables) {
      for (const { rows } of table.bodies) {
        for (const row of rows) {
          const label = row.dataset.label.toLowerCase();
          const other = words.length > 0 && table.words.label === "Method" && !words.some((word) => label.includes(word));
          row.hidden = other || kinds.has(row.dataset.kind) || directions.has(row.dataset.direction);
        }
      }
      for (const element of table.box.querySelectorAll("[data-heading]")) {
        element.hidden = directions.has(element.dataset.heading);
      }
      for (const cell of table.box.querySelectorAll("td.status")) {
        cell.colSpan = Math.max(1, table.box.querySelectorAll("thead th[data-name]:not([hidden])").length);
      }
      headings(table);
    }
    const rows = tables.length ? tables[0].bodies.flatMap((group) => group.rows) : [];
    form.querySelector("[data-said]").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows shown.`;
  }

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();

  // What is shown

  function cellOf(td, beside) {
    const low = td.dataset.low !== undefined && beside.interval;
    const rank = beside.rank ? td.querySelector(".rank") : null;
    const ranks = rank ? rank.textContent.slice(1).split("–").map(Number) : [];
    return {
      text: td.firstElementChild.textContent,
      best: td.classList.contains("best"),
      flag: td.querySelector(".mark")?.textContent ?? "",
      interval: low ? td.querySelector(".interval").textContent.split("/") : [],
      ends: low ? [td.dataset.low, td.dataset.high] : [],
      ranks: ranks.length ? [ranks[0], ranks.at(-1)] : [],
    };
  }

  function shown(table) {
    const beside = { interval: !off("beside").has("interval"), rank: !off("beside").has("rank") };
    const sorted = table.box.classList.contains("sorted");
    const columns = [...table.box.querySelectorAll("thead th[data-name]:not([hidden])")].map((th) => ({
      title: th.textContent, heading: th.dataset.heading ?? "", name: th.dataset.name,
    }));
    let title = "";
    const parts = [];
    for (const { body, heading, dashed } of table.bodies) {
      if (!dashed) title = heading && !heading.hidden ? heading.textContent : "";
      const rows = [...body.querySelectorAll("tr[data-label]:not([hidden])")].map((row) => {
        const status = row.querySelector("td.status");
        return {
          label: row.dataset.label,
          printed: row.dataset.kind === "printed",
          marks: [...row.querySelectorAll("th .mark")].map((mark) => mark.textContent).join(""),
          status: status ? status.textContent : "",
          cells: status ? [] : [...row.querySelectorAll("td:not([hidden])")].map((td) => cellOf(td, beside)),
        };
      });
      if (!rows.length) continue;
      parts.push({ title, dashed: body.classList.contains("dashed") && !sorted, rows });
      title = "";
    }
    const rows = parts.flatMap((group) => group.rows);
    const some = (key) => rows.some((row) => row.cells.some((cell) => cell[key].length));
    const marks = new Set(rows.map((row) => row.marks + row.cells.map((cell) => cell.flag).join("")).join(""));
    const notes = table.words.notes.filter((note) => !"†‡§¶".includes(note[0]) || marks.has(note[0]));
    return { ...table.words, name: table.box.dataset.table, columns, groups: parts, rows, notes, ends: some("ends"), ranks: some("ranks"), printed: rows.some((row) => row.printed) };
  }

  // CSV: for machines, so that intervals are numbers of their own columns.

  // A spreadsheet would take a text that begins so for a formula.
  const cautious = (text) => (/^[=+@\t-]/.test(text) && number(text) === null && text !== "-" ? `'${text}` : text);
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  const source = (row) => (row.printed ? "printed" : "measured");

  function csv(table) {
    const failed = table.rows.some((row) => row.status);
    const also = [...(table.ends ? ["low", "high"] : []), ...(table.ranks ? ["rank low", "rank high"] : [])];
    const head = table.columns.flatMap(({ name }) => [name, ...also.map((word) => `${name} ${word}`)]);
    const lines = [[table.label, ...(table.printed ? ["Source"] : []), ...(failed ? ["Status"] : []), ...head]];
    for (const row of table.rows) {
      const numbers = table.columns.flatMap((_, place) => {
        const cell = row.cells[place] ?? { text: "-", ends: [], ranks: [] };
        const beside = [...(table.ends ? [0, 1].map((end) => cell.ends[end] ?? "") : []), ...(table.ranks ? [0, 1].map((end) => String(cell.ranks[end] ?? "")) : [])];
        return [cell.text === "-" ? "" : cell.text, ...beside];
      });
      lines.push([row.label, ...(table.printed ? [source(row)] : []), ...(failed ? [row.status || "finished"] : []), ...numbers]);
    }
    return lines.map((line) => line.map((text) => quoted(cautious(text))).join(",")).join("\n");
  }

  const valued = (text) => (text === "-" ? null : /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

  function json(table) {
    const numbers = (row) => table.columns.slice(0, row.cells.length).map((column, place) => {
      const cell = row.cells[place];
      return {
        direction: column.heading || null,
        metric: column.title,
        value: valued(cell.text),
        ...(table.ends ? { low: number(cell.ends[0] ?? ""), high: number(cell.ends[1] ?? "") } : {}),
        ...(table.ranks ? { rank_low: cell.ranks[0] ?? null, rank_high: cell.ranks[1] ?? null } : {}),
        best: cell.best,
      };
    });
    const { name, caption, details, mark, unit, notes, label } = table;
    if (table.flat) {
      const values = (row) => table.columns.map((column, place) => [column.name, valued(row.cells[place].text)]);
      const rows = table.rows.map((row) => Object.fromEntries([[label, row.label], ...values(row)]));
      return JSON.stringify({ table: name, caption, details, notes, rows }, null, 2);
    }
    const rows = table.rows.map((row) => ({ method: row.label, ...(table.printed ? { source: source(row) } : {}), marks: row.marks, status: row.status || "finished", numbers: numbers(row) }));
    return JSON.stringify({ table: name, caption, details, unit, best: mark, notes, rows }, null, 2);
  }

  // Markdown and LaTeX: as huse-bench tables writes them.

  const besides = (cell) => [cell.interval.join("/"), cell.ranks.length ? rankText(cell) : ""].filter(Boolean);
  const rankText = ({ ranks }) => `#${ranks[0] === ranks[1] ? ranks[0] : ranks.join("–")}`;
  const headed = (table) => table.columns.some((column) => column.heading);
  const begins = (table, place) => place === 0 || table.columns[place].heading !== table.columns[place - 1].heading;

  function markdown(table) {
    const escaped = (text) => [...text].map((sign) => (data.markdown.includes(sign) ? `\\${sign}` : sign)).join("");
    const line = (cells) => `| ${cells.join(" | ")} |`;
    const titles = table.columns.map((column) => escaped(column.title));
    const tops = table.columns.map((column, place) => (begins(table, place) ? escaped(column.heading) : ""));
    const out = [`**${escaped(table.caption)}** ${escaped(table.details)}${table.mark ? escaped(` Bold: ${table.mark}.`) : ""}`];
    table.groups.forEach((group, place) => {
      if (place === 0 || !group.dashed) {
        if (group.title) out.push("", escaped(group.title));
        out.push("", line([escaped(table.label), ...(headed(table) ? tops : titles)]), line([":---", ...titles.map(() => "---:")]));
        if (headed(table)) out.push(line(["", ...titles]));
      } else {
        out.push(line(Array(titles.length + 1).fill("- - -")));
      }
      for (const row of group.rows) {
        const cells = row.status
          ? titles.map((_, column) => (column ? "" : escaped(row.status)))
          : row.cells.map((cell) => [(cell.best ? `**${escaped(cell.text)}**` : escaped(cell.text)) + cell.flag, ...besides(cell)].join(" "));
        out.push(line([escaped(row.label + row.marks), ...cells]));
      }
    });
    for (const note of table.notes) out.push("", escaped(note));
    return out.join("\n");
  }

  // Spaces of any kind become plain ones; marks without a shape of their own are left out.
  function latexEscaped(text) {
    const signs = [...text.replaceAll(">=", "≥").normalize("NFC")].filter((sign) => !/\p{Cf}/u.test(sign));
    return signs.map((sign) => data.latex.escapes[sign] ?? (/\s/.test(sign) ? " " : sign)).join("").replace(/-(?=-)/g, "-{}");
  }

  // LaTeX would take a leading bracket or star for an option of the line break before it.
  const latexLine = (label, cells) => `${/^[[*]/.test(label) ? "{}" : ""}${[label, ...cells].join(" & ")} \\\\`;

  function latexRows(row, columns) {
    const cells = row.cells.map((cell) => {
      const text = cell.text === "-" ? "--" : latexEscaped(cell.text);
      const flag = cell.flag && `\\rlap{${latexEscaped(cell.flag)}}`;
      return (cell.best ? `\\textbf{${text}}` : text) + flag;
    });
    const status = row.status && columns ? [`\\multicolumn{${columns}}{l}{${latexEscaped(row.status)}}`] : cells;
    const lines = [latexLine(latexEscaped(row.label + row.marks), status)];
    const small = (text) => `{\\scriptsize ${text}}`;
    if (row.cells.some((cell) => cell.interval.length)) {
      const reach = ({ interval }) => (interval.length < 2 ? latexEscaped(interval.join("")) : `$^{${interval[0]}}_{${interval[1]}}$`);
      lines.push(latexLine("", row.cells.map((cell) => small(reach(cell)))));
    }
    if (row.cells.some((cell) => cell.ranks.length)) {
      lines.push(latexLine("", row.cells.map((cell) => small(cell.ranks.length ? latexEscaped(rankText(cell)).replace("–", "--") : ""))));
    }
    // What stands below the numbers is nearer to these than to the next row.
    return lines.length === 1 ? lines : lines.map((text, place) => `${text}[${place === lines.length - 1 ? "2pt" : "-2pt"}]`);
  }

  function latexTable(table) {
    const [escaped, line] = [latexEscaped, latexLine];
    const columns = table.columns.length;
    const wide = columns > data.latex.narrow;
    const environment = wide ? "table*" : "table";
    const [, ...title] = table.caption.split(": ");
    const out = [
      `\\begin{${environment}}`, `% huse-bench results ${data.latex.identity}`, "\\centering", "\\small",
      `\\caption{${escaped(title.join(": "))} ${escaped(table.details)}${table.mark ? escaped(` Bold: ${table.mark}.`) : ""}}`,
      `\\label{tab:${table.name}}`, "\\setlength{\\tabcolsep}{4pt}",
      "\\begin{adjustbox}{max width=\\linewidth, max totalheight=0.7\\textheight}",
      `\\begin{tabular}{l${"r".repeat(columns)}}`, "\\toprule",
    ];
    if (headed(table)) {
      const starts = table.columns.map((_, place) => place).filter((place) => begins(table, place));
      const spans = starts.map((place, turn) => [place, (starts[turn + 1] ?? columns) - place]);
      out.push(line("", spans.map(([place, count]) => `\\multicolumn{${count}}{c}{${escaped(table.columns[place].heading)}}`)));
      out.push(spans.map(([place, count]) => `\\cmidrule(lr){${place + 2}-${place + count + 1}}`).join(""));
    }
    out.push(line(escaped(table.label), table.columns.map((column) => escaped(column.title))));
    table.groups.forEach((group, place) => {
      out.push(place > 0 && group.dashed ? "\\addlinespace[2pt]\\hdashline\\addlinespace[2pt]" : "\\midrule");
      if (group.title) {
        const box = `\\parbox{${wide ? "0.9" : "0.6"}\\linewidth}{\\raggedright\\strut\\emph{${escaped(group.title)}}\\strut}`;
        out.push(`\\multicolumn{${columns + 1}}{l}{${box}} \\\\`, "\\midrule");
      }
      out.push(...group.rows.flatMap((row) => latexRows(row, columns)));
    });
    out.push("\\bottomrule", "\\end{tabular}", "\\end{adjustbox}");
    out.push(...table.notes.map((note) => `\\par\\smallskip{\\footnotesize ${escaped(note)}\\par}`), `\\end{${environment}}`);
    return out.join("\n");
  }

  function latex(table) {
    const source = latexTable(table);
    const known = new Set(data.latex.known);
    const beyond = [...new Set(source)].filter((sign) => !known.has(sign)).sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
    const head = [`% needs ${data.latex.packages.map((name) => `\\usepackage{${name}}`).join("")}`];
    if (beyond.length) head.push(`% and lualatex or xelatex, with a font that has the signs ${beyond.join(" ")}`);
    const comments = data.notes.map((note) => `% ${note.split(/[\n\r\u2028\u2029]+/).join(" ")}`);
    return [head.join("\n"), source, comments.join("\n")].join("\n\n");
  }

  const FORMATS = {
    csv: { make: csv, type: "text/csv" },
    md: { make: markdown, type: "text/markdown" },
    tex: { make: latex, type: "application/x-tex" },
    json: { make: json, type: "application/json" },
  };

  // Without a clipboard, as in a page that was opened from a file in some browsers, an old command copies a selection.
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  function save(text, name, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  for (const table of tables) {
    const bar = table.box.querySelector(".take");
    const [format, said] = [bar.querySelector("select"), bar.querySelector("[data-taken]")];
    const text = () => `${FORMATS[format.value].make(shown(table))}\n`;
    bar.hidden = false;
    bar.querySelector("[data-copy]").addEventListener("click", async (event) => {
      const done = await copy(text());
      event.target.focus();
      said.textContent = done ? "Copied." : "The browser does not let this page copy; download it instead.";
    });
    bar.querySelector("[data-save]").addEventListener("click", () => {
      const name = `${table.box.dataset.table}.${format.value}`;
      save(text(), name, FORMATS[format.value].type);
      said.textContent = `Saved as ${name}.`;
    });
  }
});
