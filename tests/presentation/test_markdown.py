"""Tables in Markdown, read back with a parser of it."""

from markdown_it import MarkdownIt

from manyseeds.presentation.markdown import markdown_list, markdown_rows


def cells(text):
    """Return the rows of a table as a parser sees them."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    rows, inside = [], False
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        inside = token.type in ("th_open", "td_open") or (inside and token.type == "inline")
        if inside and token.type == "inline":
            rows[-1].append("".join(child.content for child in token.children))
    return rows


def test_cells_come_back_as_they_were():
    table = markdown_rows(["name", "error", ""], [["a | b", 1e-12, "1e-03"], ["<i>*c*", "", "–"]])
    assert cells(table) == [["name", "error", ""], ["a | b", "1e-12", "1e-03"], ["<i>*c*", "", "–"]]


def test_a_long_cell_does_not_pad_the_others():
    table = markdown_rows(["a"], [["short"], ["long" * 50]])
    assert "| short |" in table.splitlines()


def test_columns_of_numbers_are_aligned_right():
    table = markdown_rows(["name", "count"], [["x", 1]], numbers_from=1)
    assert table.splitlines()[1].endswith("-:|")
    assert cells(table) == [["name", "count"], ["x", "1"]]


def outline(text):
    """Return the items of a list as a parser sees them, each with its depth."""
    depth, items = 0, []
    for token in MarkdownIt("commonmark").parse(text):
        depth += token.nesting if token.type.startswith("bullet_list") else 0
        if token.type == "inline":
            items.append((depth, "".join(child.content for child in token.children)))
    return items


def test_a_nested_list_comes_back_with_its_depths():
    backends = {"jax": {"threads": "1", "switches": {"A_B": "*x*", "C": ""}}, "py[t]": {}}
    text = markdown_list({"backends": backends, "command": "manyseeds, run, <i>"})
    assert outline(text) == [
        (1, "backends"),
        (2, "jax"),
        (3, "threads: 1"),
        (3, "switches"),
        (4, "A_B: *x*"),
        (4, "C:"),
        (2, "py[t]"),
        (1, "command: manyseeds, run, <i>"),
    ]


def test_a_table_without_rows_has_its_heading():
    assert cells(markdown_rows(["a", "b"], [])) == [["a", "b"]]
