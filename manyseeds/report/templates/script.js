// Sorting, choosing rows, switching the metric, the best-of-k slider, and the dark page.
(() => {
  "use strict";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const page = document.documentElement;

  // Light and dark: the system's choice until the button makes another, which is remembered.
  const remembered = {
    get() { try { return localStorage.getItem("manyseeds-theme"); } catch { return null; } },
    set(theme) { try { localStorage.setItem("manyseeds-theme", theme); } catch { /* from disk */ } },
  };
  const isDark = () => page.dataset.theme
    ? page.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const setUpTheme = (button) => {
    const show = () => { button.textContent = isDark() ? "Light page" : "Dark page"; };
    const theme = remembered.get();
    if (theme === "dark" || theme === "light") page.dataset.theme = theme;
    button.addEventListener("click", () => {
      page.dataset.theme = isDark() ? "light" : "dark";
      remembered.set(page.dataset.theme);
      show();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
    show();
    button.hidden = false;
  };

  // Sorting: by the number a cell begins with, or by its text; empty cells come last.
  const number = (text) => {
    if (/^[\u2212-]?∞/.test(text)) return text.startsWith("∞") ? Infinity : -Infinity;
    const match = text.replace(/\u2212/g, "-").replace(/,/g, "")
      .match(/-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/i);
    return match ? parseFloat(match[0]) : null;
  };
  const valueOf = (row, column, numeric) => {
    const cell = row.cells[column];
    const text = (cell.dataset.value ?? cell.textContent).trim();
    if (numeric) return number(text);
    return text === "" || text === "–" ? null : text;
  };
  const compared = (one, other) => typeof one === "number"
    ? one - other
    : one.localeCompare(other, "en", { numeric: true });
  const setUpSorting = (table) => {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = all('th[scope="col"]', table.tHead);
    const sort = (column, direction) => {
      heads.forEach((head, at) => {
        if (at === column && direction) {
          head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        } else head.removeAttribute("aria-sort");
      });
      if (!direction) return body.append(...original);
      const numeric = heads[column].classList.contains("number");
      const rows = original.map((row) => [valueOf(row, column, numeric), row]);
      rows.sort(([one], [other]) => one === null || other === null
        ? (one === null) - (other === null)
        : direction * compared(one, other));
      return body.append(...rows.map(([, row]) => row));
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        sort(column, now === "ascending" ? -1 : now === "descending" ? 0 : 1);
      });
    });
  };

  // Choosing rows of a suite's tables: those whose backend and recipe are ticked.
  const setUpChoice = (form) => {
    const rows = all("tr[data-backend]");
    const said = form.querySelector("output");
    const apply = () => {
      const ticked = {};
      all("input", form).forEach((input) => {
        ticked[input.name] ??= new Set();
        if (input.checked) ticked[input.name].add(input.value);
      });
      rows.forEach((row) => {
        row.hidden = Object.keys(ticked)
          .some((key) => key in row.dataset && !ticked[key].has(row.dataset[key]));
      });
      const shown = rows.filter((row) => !row.hidden).length;
      said.textContent = `${shown} of ${rows.length} rows of the tables shown`;
    };
    all("button[data-tick]", form).forEach((button) => button.addEventListener("click", () => {
      const inputs = all("input", button.closest("fieldset"));
      inputs.forEach((input) => { input.checked = button.dataset.tick === "all"; });
      apply();
    }));
    form.addEventListener("change", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
  };

  // Choosing claims on the index: by suite, by verdict, on one backend or over all.
  const setUpFilter = (form) => {
    const table = document.getElementById(form.dataset.filter);
    const rows = [...table.tBodies[0].rows];
    const cells = all("[data-backend]", table);
    const said = form.querySelector("output");
    const chosen = (name) => form.elements.namedItem(name).value;
    const apply = () => {
      const [suite, verdict, backend] = ["suite", "verdict", "backend"].map(chosen);
      rows.forEach((row) => {
        const judged = all("[data-verdict]", row).find((cell) => cell.dataset.backend === backend);
        row.hidden = (suite !== "*" && row.dataset.suite !== suite)
          || !judged || (verdict !== "*" && judged.dataset.verdict !== verdict);
      });
      cells.forEach((cell) => {
        cell.hidden = backend !== "all" && !["all", backend].includes(cell.dataset.backend);
      });
      const shown = rows.filter((row) => !row.hidden).length;
      said.textContent = `${shown} of ${rows.length} claims shown`;
    };
    form.addEventListener("change", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
  };

  // One metric's table at a time.
  const setUpMetrics = (form) => {
    const select = form.querySelector("select");
    const parts = all("[data-metric]");
    const apply = () => parts.forEach((part) => {
      part.hidden = part.dataset.metric !== select.value;
      if ("open" in part) part.open = true;
    });
    form.addEventListener("change", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
  };

  // The cherry-picker: the figure that the best of k tries would be reported as.
  const setUpPicker = (picker) => {
    const series = JSON.parse(picker.querySelector("script").textContent);
    const slider = picker.querySelector('input[type="range"]');
    const select = picker.querySelector("select");
    const said = picker.querySelector("output");
    const [band, line, mean, rule, marker] = ["band", "line", "mean", "rule", "marker"]
      .map((part) => picker.querySelector(`.${part}`));
    const show = () => {
      const { points } = series[select ? select.selectedIndex : 0];
      const at = Math.min(Number(slider.value), points.length - 1);
      const [k, x, y, , , sentence] = points[at];
      marker.setAttribute("cx", x);
      marker.setAttribute("cy", y);
      rule.setAttribute("x1", x);
      rule.setAttribute("x2", x);
      said.textContent = sentence;
      slider.setAttribute("aria-valuetext", `${k} seeds: ${sentence}`);
    };
    const draw = () => {
      const { points } = series[select ? select.selectedIndex : 0];
      slider.max = points.length - 1;
      line.setAttribute("points", points.map(([, x, y]) => `${x},${y}`).join(" "));
      const upper = points.map(([, x, , high]) => `${x},${high}`);
      const lower = points.map(([, x, , , low]) => `${x},${low}`).reverse();
      band.setAttribute("points", [...upper, ...lower].join(" "));
      mean.setAttribute("y1", points[0][2]);
      mean.setAttribute("y2", points[0][2]);
      show();
    };
    slider.addEventListener("input", show);
    if (select) select.addEventListener("change", draw);
    picker.hidden = false;
    draw();
  };

  // Nothing can be unfolded on paper: open everything but the provenance before printing.
  const closed = all("details:not([open])").filter((one) => !one.closest("#provenance"));
  addEventListener("beforeprint", () => closed.forEach((one) => {
    one.dataset.was = one.open ? "open" : "";
    one.open = true;
  }));
  addEventListener("afterprint", () => closed.forEach((one) => {
    one.open = one.dataset.was === "open";
  }));

  all("button[data-theme-button]").forEach(setUpTheme);
  all("table.sortable").forEach(setUpSorting);
  all("form[data-choice]").forEach(setUpChoice);
  all("form[data-filter]").forEach(setUpFilter);
  all("form[data-metrics]").forEach(setUpMetrics);
  all("[data-picker]").forEach(setUpPicker);
})();
