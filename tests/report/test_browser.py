"""The pages in a browser: they fit, sort, filter, slide, go dark, and are accessible."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import CHROMIUM, evaluate, opened, running_chromium

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium to open the pages in: apt-get install chromium"
)

PAGES = ("small", "index", "techniques")
STICKING_OUT = """
const width = document.documentElement.clientWidth;
const out = all("body *").filter((element) => element.getBoundingClientRect().right > width + 1
  && !element.closest(".scroll, .drawing, .skip"));
return [width, document.documentElement.scrollWidth,
  out.map((one) => one.outerHTML.slice(0, 80))];
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """Run one browser for all tests of this file."""
    with running_chromium(tmp_path_factory.mktemp("home")) as browser:
        yield browser


@pytest.fixture
def ask(chromium):
    """Return a function that opens a file and returns the answer of a script about its page."""

    def ask(file, script, width=1280):
        page = opened(chromium, file, width)
        answer = evaluate(page, script)
        page.close()
        return answer

    return ask


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_no_part_of_a_page_is_wider_than_the_window(small, ask, name, width):
    assert ask(small[0] / f"{name}.html", STICKING_OUT, width) == [width, width, []]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_reports_no_serious_violation(small, chromium, name, scheme):
    page = opened(chromium, small[0] / f"{name}.html")
    evaluate(
        page,
        f"""
        document.documentElement.dataset.theme = "{scheme}";
        all("details").forEach((one) => {{ one.open = true; }});
        """,
    )
    violations = Axe().run(page).response["violations"]
    serious = [
        (violation["id"], [node["html"][:160] for node in violation["nodes"]])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
    page.close()
    assert serious == []


def test_a_column_sorts_up_down_and_back_and_announces_it(small, ask):
    answer = ask(
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
    )
    (before, original), (up, ascending), (down, descending), (after, again) = answer
    assert (before, up, down, after) == (None, "ascending", "descending", None)
    assert ascending == sorted(original) != original
    assert descending == sorted(original, reverse=True)
    assert again == original


def test_numbers_with_true_minus_signs_sort_and_unknown_values_come_last(small, ask):
    answer = ask(
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
    )
    up = ["\u22121.05", "< 0.0001", "+0.20", "1 of 12", "1,234", "∞"]
    assert answer == [[*up, "–"], [*reversed(up), "–"]]


def test_unticked_backends_and_recipes_are_hidden(small, ask):
    answer = ask(
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
    )
    hidden, before, after, jax, scratch, message = answer
    assert (hidden, jax, scratch) == (False, False, False)
    assert 0 < after < before
    assert "rows of the tables shown" in message


def test_the_index_filters_by_verdict_on_a_backend(several, ask):
    answer = ask(
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
    )
    everything, holds, on_pytorch, columns, small, message = answer
    assert everything == ["other-quick", "small"]
    assert holds == ["small"]
    assert on_pytorch == ["small"]
    assert columns == ["pytorch"]
    assert small == ["small"]
    assert message == "1 of 2 claims shown"


def test_one_metric_is_shown_at_a_time(small, ask):
    answer = ask(
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
    )
    assert answer == [[["primary", None]], [["test_loss", True]]]


def test_the_slider_says_how_the_best_of_k_seeds_would_be_reported(small, ask):
    answer = ask(
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
    )
    first, fifth, other_backend, hidden, tab = answer
    assert first[0].startswith("With 1 try, and nothing to pick from, one reports +")
    assert fifth[0].startswith("With 5 tries, a cherry-picker reports +")
    assert "points on average (95\u00a0% interval" in fifth[0]
    assert "an error divided by " in fifth[0]
    assert fifth[1] == f"5 seeds: {fifth[0]}"
    assert float(fifth[2]) > float(first[2])
    assert other_backend[0].startswith("With 5 tries")
    assert other_backend[0] != fifth[0]
    assert (hidden, tab) == (False, 0)


def test_the_button_overrides_the_systems_colours(small, ask):
    answer = ask(
        small[0] / "small.html",
        """
        const button = document.querySelector("[data-theme-button]");
        const paper = () => getComputedStyle(document.body).backgroundColor;
        const states = [[button.hidden, button.innerText, paper()]];
        button.click(); states.push([button.hidden, button.innerText, paper()]);
        button.click(); states.push([button.hidden, button.innerText, paper()]);
        return states;
        """,
    )
    light = [False, "Dark page", "rgb(255, 255, 255)"]
    assert answer == [light, [False, "Light page", "rgb(13, 17, 23)"], light]


def test_the_policy_of_a_page_lets_its_own_script_run_and_no_other(small, tmp_path, ask):
    text = (small[0] / "small.html").read_text(encoding="utf-8")
    copy = tmp_path / "injected.html"
    injected = '<script>document.body.dataset.injected = "yes"</script></body>'
    copy.write_text(text.replace("</body>", injected), encoding="utf-8")
    document = ask(copy, "return document.documentElement.outerHTML;")
    assert 'class="sort"' in document
    assert "data-injected" not in document


def test_folded_sections_are_open_on_paper_and_folded_again_afterwards(several, ask):
    answer = ask(
        several / "index.html",
        """
        const open = () => all("main details").map((one) => one.open);
        const before = open();
        window.dispatchEvent(new Event("beforeprint"));
        const printed = open();
        window.dispatchEvent(new Event("afterprint"));
        return [before, printed, open()];
        """,
    )
    before, printed, after = answer
    assert len(before) == 2
    assert not any(before)
    assert all(printed)
    assert after == before
