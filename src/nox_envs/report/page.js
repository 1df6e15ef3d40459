"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 200, COLUMNS = 60;
  const RANK = { error: 0, warning: 1, note: 2 };
  const shown = { kinds: new Set(), severities: new Set(), environment: -2, text: "", rows: PAGE, columns: COLUMNS };
  const byId = (id) => document.getElementById(id);

  // Every text from outside goes through textContent, so that none of it is ever markup.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, text] of Object.entries(attributes)) {
      if (text !== "" && text !== null) element.setAttribute(name, text);
    }
    element.append(...children);
    return element;
  }
  function tally(values) {
    const counts = new Map();
    for (const text of values) counts.set(text, (counts.get(text) || 0) + 1);
    return counts;
  }
  const titleOf = (index) => (index < 0 ? "project" : data.environments[index].title);

  function matching() {
    const text = shown.text.toLowerCase();
    return data.findings.filter((finding) =>
      (!shown.kinds.size || shown.kinds.has(finding.kind)) &&
      (!shown.severities.size || shown.severities.has(finding.severity)) &&
      (shown.environment === -2 || finding.environment === shown.environment) &&
      (!text || finding.search.includes(text)));
  }

  function difference(finding) {
    const sides = [];
    if (finding.expected) sides.push("expected ", make("code", {}, finding.expected));
    if (finding.expected && finding.actual) sides.push(", ");
    if (finding.actual) sides.push("found ", make("code", {}, finding.actual));
    return sides;
  }
  function details(finding) {
    const lines = [["asked for by", finding.why], ["at", finding.where], ["on disk", finding.path],
      [finding.mended ? "" : "fix", finding.mended ? "" : finding.fix]];
    return lines.filter(([, text]) => text).map(([name, text]) =>
      make("div", {}, `${name}: `, make("code", {}, text)));
  }
  function findingRow(finding) {
    const state = finding.mended ? "mended" : finding.severity;
    return make("tr", { "data-kind": finding.kind },
      make("td", {}, make("span", { class: `badge ${finding.mended ? "clean" : finding.severity}` }, state)),
      make("td", { title: data.meanings[finding.kind] || "" }, finding.kind),
      make("td", {}, make("code", {}, finding.package)),
      make("td", { "data-name": "in" }, titleOf(finding.environment)),
      make("td", {}, ...difference(finding), make("div", { class: "more" }, ...details(finding))));
  }
  function drawFindings(found) {
    byId("count").textContent = `${found.length} of ${data.findings.length}`;
    byId("findings").replaceChildren(...found.slice(0, shown.rows).map(findingRow));
    byId("none").hidden = found.length > 0;
    byId("table").hidden = found.length === 0;
    const rest = found.length - shown.rows;
    byId("more").hidden = rest <= 0;
    byId("more").textContent = `Show ${Math.min(rest, PAGE)} more (${rest} left)`;
  }

  function drawMatrix(found) {
    const cells = new Map();
    const worst = new Map();
    for (const finding of found) {
      if (!finding.package) continue;
      const key = `${finding.environment}\n${finding.package}`;
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(finding);
      worst.set(finding.package, (worst.get(finding.package) || 0) + (finding.severity === "error" ? 1000 : 1));
    }
    const packages = [...worst.keys()].sort((a, b) => worst.get(b) - worst.get(a) || (a < b ? -1 : 1));
    const columns = packages.slice(0, shown.columns);
    const rows = data.environments.map((_, index) => index)
      .filter((index) => shown.environment === -2 || index === shown.environment);
    if (found.some((finding) => finding.environment < 0 && finding.package)) rows.push(-1);
    byId("matrix-head").replaceChildren(make("tr", {}, make("th", { scope: "col" }, "environment"),
      ...columns.map((name) => make("th", { scope: "col", title: name }, make("span", {}, name)))));
    byId("matrix-body").replaceChildren(...rows.map((index) => matrixRow(index, columns, cells)));
    byId("matrix").hidden = columns.length === 0;
    const rest = packages.length - columns.length;
    byId("wider").hidden = rest <= 0;
    byId("wider").textContent = `Show ${rest} more packages`;
    drawLegend(columns.length ? found : []);
  }
  function matrixRow(index, columns, cells) {
    const environment = index < 0 ? { title: "project", status: "drift", reason: "" } : data.environments[index];
    const about = environment.reason ? `${environment.status}: ${environment.reason}` : environment.status;
    return make("tr", {},
      make("th", { scope: "row", title: `${environment.title} (${about})` },
        make("span", { class: `dot ${environment.status}` }), environment.title),
      ...columns.map((name) => matrixCell(index, name, cells.get(`${index}\n${name}`))));
  }
  function matrixCell(index, name, found) {
    if (!found) return make("td");
    const first = found.reduce((a, b) => (RANK[b.severity] < RANK[a.severity] ? b : a));
    const label = `${titleOf(index)}, ${name}: ${found.map((f) =>
      [f.kind, f.expected && `expected ${f.expected}`, f.actual && `found ${f.actual}`].filter(Boolean).join(", ")).join("; ")}`;
    const state = found.every((finding) => finding.mended) ? "clean" : first.severity;
    return make("td", {}, make("button", { class: state, title: label, "aria-label": label,
      "data-environment": index, "data-package": name }, data.letters[first.kind] || "?"));
  }
  function drawLegend(found) {
    const kinds = [...new Set(found.filter((f) => f.package).map((f) => f.kind))].sort();
    byId("legend").textContent = kinds.map((kind) => `${data.letters[kind] || "?"} ${kind}`).join(" · ");
  }

  function chips(box, counts, chosen) {
    const names = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
    for (const name of names) {
      const chip = make("button", { type: "button", "aria-pressed": "false", "data-chip": name }, name,
        make("b", {}, String(counts.get(name))));
      chip.addEventListener("click", () => {
        if (!chosen.delete(name)) chosen.add(name);
        draw();
      });
      box.append(chip);
    }
  }
  function draw() {
    shown.rows = PAGE;
    for (const chip of document.querySelectorAll("[data-chip]")) {
      const name = chip.dataset.chip;
      chip.setAttribute("aria-pressed", String(shown.kinds.has(name) || shown.severities.has(name)));
    }
    const found = matching();
    byId("clear").disabled = !(shown.kinds.size || shown.severities.size || shown.text || shown.environment !== -2);
    drawFindings(found);
    drawMatrix(found);
  }

  function setUp() {
    for (const finding of data.findings) {
      finding.search = [finding.package, finding.kind, finding.expected, finding.actual, finding.path, finding.where]
        .join("\n").toLowerCase();
    }
    chips(byId("severities"), tally(data.findings.map((f) => f.severity)), shown.severities);
    chips(byId("severities"), tally(data.findings.map((f) => f.kind)), shown.kinds);
    const counts = tally(data.findings.map((f) => f.environment));
    const options = data.environments.map((environment, index) =>
      make("option", { value: String(index) }, `${environment.title} (${counts.get(index) || 0})`));
    byId("environment").append(make("option", { value: "-2" }, `all (${data.findings.length})`), ...options);
    if (counts.has(-1)) byId("environment").append(make("option", { value: "-1" }, `project (${counts.get(-1)})`));
    let waiting = 0;
    byId("search").addEventListener("input", (event) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { shown.text = event.target.value.trim(); draw(); }, 80);
    });
    byId("environment").addEventListener("change", (event) => {
      shown.environment = Number(event.target.value);
      draw();
    });
    byId("clear").addEventListener("click", () => {
      shown.kinds.clear();
      shown.severities.clear();
      choose(-2, "");
    });
    byId("more").addEventListener("click", () => { shown.rows += PAGE; drawFindings(matching()); });
    byId("wider").addEventListener("click", () => { shown.columns = Infinity; drawMatrix(matching()); });
    byId("matrix-body").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      choose(Number(button.dataset.environment), button.dataset.package);
      byId("found").scrollIntoView({ behavior: "smooth" });
    });
    draw();
  }
  function choose(environment, text) {
    shown.environment = environment;
    shown.text = text;
    byId("environment").value = String(environment);
    byId("search").value = text;
    draw();
  }
  setUp();
})();
