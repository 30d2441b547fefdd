"""The style of figures is the report's, whatever a person has set."""

import matplotlib as mpl
import pytest

from manyseeds.presentation import theme

ODD = {
    "lines.linewidth": 9.0,
    "font.family": ["monospace"],
    "savefig.bbox": "tight",
    "savefig.dpi": 30,
    "savefig.transparent": True,
    "axes.prop_cycle": mpl.cycler(color=["#ff0000"]),
    "axes.formatter.use_locale": True,
    "xtick.direction": "in",
    "figure.constrained_layout.w_pad": 1.0,
    "path.sketch": (1.0, 100.0, 2.0),
    "svg.fonttype": "none",
    "text.antialiased": False,
    "hatch.linewidth": 7.0,
    "text.usetex": True,
}


def drawn():
    with theme.style():
        figure = theme.blank(2)
        axes = figure.subplots()
        axes.plot([1, 2, 3], [0.5, 1234.5, 7], label="№ 1 $x$")
        axes.bar([1, 2], [3, 4], hatch="/")
        axes.legend()
        return theme.rendered(figure, "name", "title", "caption")


@pytest.mark.parametrize("setting", ODD)
def test_a_setting_of_the_users_changes_no_byte_and_is_restored(setting):
    plain = drawn()
    with mpl.rc_context({setting: ODD[setting]}):
        before = mpl.rcParams[setting]
        odd = drawn()
        assert mpl.rcParams[setting] == before
    assert odd.svg == plain.svg
    assert odd.png == plain.png
