"""Texts reach the terminal as they are: no markup, no pictures, no control characters."""

from io import StringIO

import pytest
from rich.console import Console

from manyseeds.execution.phase import Progress as EpochProgress
from manyseeds.execution.planner import make_plan
from manyseeds.execution.request import Options
from manyseeds.ledger.ledger import Ledger
from manyseeds.presentation.command_result import Outcome
from manyseeds.presentation.run_display import TerminalDisplay
from manyseeds.presentation.terminal import styled
from manyseeds.suite.files import read_suite

HOSTILE = ["[/]", "[bold red]x[/]", "[link=file:///]a", "a[b]c", ":smile:", "[/nothing]", "\\[a]"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_shows_every_text_as_it_is(capsys, text):
    Outcome(f"T {text}", (text,), ((text,), (None,)), notes=(f"N {text}",)).show()
    shown = capsys.readouterr().out
    assert shown.count(text) == 4
    assert f"T {text}" in shown
    assert f"N {text}" in shown


def test_control_characters_do_not_reach_a_terminal(capsys):
    Outcome("a\x1b[31mb", ("c\x07",), (("d\x1b]0;x\x07",),), notes=("e\r\x9b",)).show()
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x1b\x07\r\x9b")
    assert "a\\x1b[31mb" in shown


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("is_terminal", [False, True])
def test_the_progress_of_a_run_shows_titles_and_reasons_as_they_are(
    tmp_path, tiny, text, is_terminal
):
    quoted = text.replace("\\", "\\\\")
    file = read_suite(str(tiny(("Small enough for a test", f"T {quoted}"))))
    plan = make_plan(file, Options(backends=("numpy",))).plan
    folder = tmp_path / "[/]"
    written = StringIO()
    console = Console(file=written, width=200, force_terminal=is_terminal, color_system=None)
    display, job = TerminalDisplay(console), plan.jobs[0]
    display.notice(f"N {text}")
    with display.run(Ledger.create(folder, plan), frozenset()) as bars:
        bars.opened(text, {"device_name": f"D {text}", "threads": 1, "versions": {text: "1"}})
        bars.started(job)
        bars.epoch(job, EpochProgress("scratch", 1, 2, 0.5))
        bars.ended(job, {"failed": 2}, f"R {text}")
    shown = written.getvalue()
    for part in (f"T {text}", f"N {text}", f"D {text}", f"R {text}", f"{text} 1", str(folder)):
        assert part in shown


def test_a_styled_line_has_the_style_of_its_parts_alone():
    line = styled(("[a]", "red"), " b")
    assert line.plain == "[a] b"
    assert [(span.start, span.end, span.style) for span in line.spans if span.style] == [
        (0, 3, "red")
    ]
