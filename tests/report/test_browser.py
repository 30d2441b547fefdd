"""The pages in a browser: they fit, sort, choose, slide, go dark, and can be used by everybody."""

import pytest
from browser import AXE_VERSION, CHROMIUM, ask, ask_framed, axe, dumped

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium to open the pages in: apt-get install chromium"
)

PAGES = ("small", "index", "techniques")
STICKING_OUT = """
const width = page.documentElement.clientWidth;
const out = all("body *").filter((element) => element.getBoundingClientRect().right > width + 1
  && !element.closest(".scroll, .drawing, .skip"));
return [width, page.documentElement.scrollWidth, out.map((one) => one.outerHTML.slice(0, 80))];
"""


@pytest.fixture(scope="session")
def axe_core(tmp_path_factory):
    text = axe(tmp_path_factory.mktemp("axe"))
    if text is None:
        pytest.skip(
            f"axe-core@{AXE_VERSION} cannot be had: install npm, and let it reach npmjs.org"
        )
    return text


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_no_part_of_a_page_is_wider_than_the_screen(small, tmp_path, name, width):
    found = ask_framed(small[0] / f"{name}.html", STICKING_OUT, width, tmp_path)
    assert found == [width, width, []]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(small, tmp_path, axe_core, name, scheme):
    question = f"""
    document.documentElement.dataset.theme = "{scheme}";
    all("details").forEach((one) => {{ one.open = true; }});
    await new Promise((resolve) => {{
      const script = document.createElement("script");
      script.src = "axe.js"; script.onload = resolve; document.head.append(script);
    }});
    const found = await axe.run(document);
    return found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
      .map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 160))]);
    """
    (tmp_path / "axe.js").write_text(axe_core, encoding="utf-8")
    assert ask(small[0] / f"{name}.html", question, tmp_path) == []


def test_a_column_sorts_up_down_and_back_and_says_so(small, tmp_path):
    found = ask(
        small[0] / "small.html",
        """
        const table = document.querySelector(".summary");
        const head = all('th[scope="col"]', table).find((one) => one.innerText.startsWith("mean"));
        const at = all('th[scope="col"]', table).indexOf(head);
        const column = () => [...table.tBodies[0].rows]
          .map((row) => Number(row.cells[at].innerText));
        const button = head.querySelector("button");
        const states = [[head.getAttribute("aria-sort"), column()]];
        for (let click = 0; click < 3; click += 1) {
          button.click();
          states.push([head.getAttribute("aria-sort"), column()]);
        }
        return states;
        """,
        tmp_path,
    )
    (before, original), (up, ascending), (down, descending), (after, again) = found
    assert (before, up, down, after) == (None, "ascending", "descending", None)
    assert ascending == sorted(original) != original
    assert descending == sorted(original, reverse=True)
    assert again == original


def test_numbers_with_true_minus_signs_sort_and_what_is_unknown_comes_last(small, tmp_path):
    found = ask(
        small[0] / "small.html",
        r"""
        const texts = ["\u22121.05", "–", "+0.20", "1,234", "< 0.0001", "∞", "1 of 12"];
        const table = document.querySelector("table.sortable");
        const template = document.createElement("template");
        template.innerHTML = `<table class="sortable"><thead><tr><th scope="col" class="number">x
          </th></tr></thead><tbody></tbody></table>`;
        const made = template.content.firstChild;
        texts.forEach((text) => { made.tBodies[0].insertRow().insertCell().textContent = text; });
        document.body.append(made);
        const own = all("script").find((one) => one.textContent.includes("setUpSorting"));
        const again = document.createElement("script");
        again.textContent = own.textContent;
        document.body.append(again);
        const order = () => [...made.tBodies[0].rows].map((row) => row.innerText);
        made.querySelector("button").click();
        const up = order();
        made.querySelector("button").click();
        return [up, order()];
        """,
        tmp_path,
    )
    up = ["\u22121.05", "< 0.0001", "+0.20", "1 of 12", "1,234", "∞"]
    assert found == [[*up, "–"], [*reversed(up), "–"]]


def test_backends_and_recipes_that_are_not_ticked_are_hidden(small, tmp_path):
    found = ask(
        small[0] / "small.html",
        """
        const form = document.querySelector("form[data-choice]");
        const untick = (value) => {
          const input = all("input", form).find((one) => one.value === value);
          input.click();
        };
        const shown = () => all("tr[data-backend]").filter((row) => row.checkVisibility());
        const before = shown().length;
        untick("jax");
        untick("scratch");
        const rows = shown();
        return [form.hidden, before, rows.length, rows.some((row) => row.dataset.backend === "jax"),
          rows.some((row) => row.dataset.recipe === "scratch"), form.querySelector("output").value];
        """,
        tmp_path,
    )
    hidden, before, after, jax, scratch, said = found
    assert (hidden, jax, scratch) == (False, False, False)
    assert 0 < after < before
    assert "rows of the tables shown" in said


def test_the_index_filters_by_verdict_on_a_backend(several, tmp_path):
    found = ask(
        several / "index.html",
        """
        const form = document.querySelector("form[data-filter]");
        const table = document.getElementById("claims-table");
        const shown = () => [...table.tBodies[0].rows].filter((row) => !row.hidden)
          .map((row) => row.dataset.suite);
        const choose = (name, value) => {
          form.elements[name].value = value;
          form.dispatchEvent(new Event("change"));
        };
        const states = [shown()];
        choose("verdict", "holds"); states.push(shown());
        choose("backend", "pytorch"); states.push(shown());
        states.push(all("thead [data-backend]", table).filter((one) => !one.hidden)
          .map((one) => one.dataset.backend));
        choose("verdict", "*"); choose("backend", "all"); choose("suite", "small");
        states.push(shown(), form.querySelector("output").value);
        return states;
        """,
        tmp_path,
    )
    everything, holds, on_pytorch, columns, small, said = found
    assert everything == ["other", "small"]
    assert holds == ["small"]
    assert on_pytorch == ["small"]
    assert columns == ["pytorch"]
    assert small == ["small"]
    assert said == "1 of 2 claims shown"


def test_one_metric_is_shown_at_a_time(small, tmp_path):
    found = ask(
        small[0] / "small.html",
        """
        const select = document.getElementById("metric");
        const shown = () => all("[data-metric]").filter((one) => one.checkVisibility())
          .map((one) => [one.dataset.metric, one.open ?? null]);
        const states = [shown()];
        select.value = "test_loss";
        select.dispatchEvent(new Event("change", { bubbles: true }));
        return [...states, shown()];
        """,
        tmp_path,
    )
    assert found == [[["primary", None]], [["test_loss", True]]]


def test_the_slider_says_what_the_best_of_k_would_be_reported_as(small, tmp_path):
    found = ask(
        small[0] / "small.html",
        """
        const picker = document.querySelector("[data-picker]");
        const slider = picker.querySelector("input");
        const state = () => [picker.querySelector("output").value,
          slider.getAttribute("aria-valuetext"),
          picker.querySelector(".marker").getAttribute("cx")];
        const move = (value) => { slider.value = value; slider.dispatchEvent(new Event("input")); };
        move(0); const first = state();
        move(4); const fifth = state();
        picker.querySelector("select").selectedIndex = 1;
        picker.querySelector("select").dispatchEvent(new Event("change"));
        return [first, fifth, state(), picker.hidden, slider.tabIndex];
        """,
        tmp_path,
    )
    first, fifth, other_backend, hidden, tab = found
    assert first[0].startswith("With 1 seed tried, and nothing to pick from, one reports +")
    assert fifth[0].startswith("With 5 seeds tried, a cherry-picker reports +")
    assert "points on average (95\u00a0% interval" in fifth[0]
    assert "an error divided by " in fifth[0]
    assert fifth[1] == f"5 seeds: {fifth[0]}"
    assert float(fifth[2]) > float(first[2])
    assert other_backend[0].startswith("With 5 seeds tried")
    assert other_backend[0] != fifth[0]
    assert (hidden, tab) == (False, 0)


def test_the_button_overrides_the_systems_colours(small, tmp_path):
    found = ask(
        small[0] / "small.html",
        """
        const button = document.querySelector("[data-theme-button]");
        const paper = () => getComputedStyle(document.body).backgroundColor;
        const states = [[button.hidden, button.innerText, paper()]];
        button.click(); states.push([button.hidden, button.innerText, paper()]);
        button.click(); states.push([button.hidden, button.innerText, paper()]);
        return states;
        """,
        tmp_path,
    )
    light = [False, "Dark page", "rgb(255, 255, 255)"]
    assert found == [light, [False, "Light page", "rgb(13, 17, 23)"], light]


def test_the_pages_own_script_runs_under_their_policy_and_no_other_does(small, tmp_path):
    text = (small[0] / "small.html").read_text(encoding="utf-8")
    copy = tmp_path / "injected.html"
    injected = '<script>document.body.dataset.injected = "yes"</script></body>'
    copy.write_text(text.replace("</body>", injected), encoding="utf-8")
    found = dumped(copy, tmp_path)
    assert 'class="sort"' in found
    assert "data-injected" not in found


def test_what_is_folded_is_open_on_paper_and_folded_again_afterwards(several, tmp_path):
    found = ask(
        several / "index.html",
        """
        const open = () => all("main details").map((one) => one.open);
        const before = open();
        window.dispatchEvent(new Event("beforeprint"));
        const printed = open();
        window.dispatchEvent(new Event("afterprint"));
        return [before, printed, open()];
        """,
        tmp_path,
    )
    before, printed, after = found
    assert len(before) == 2
    assert not any(before)
    assert all(printed)
    assert after == before
