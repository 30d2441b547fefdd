"""The page in a browser: nothing sticks out of a narrow screen."""

import html
import os
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WRAPPER = """<body><iframe id="f" width="{width}" height="900" style="border:0"></iframe><script>
const frame = document.getElementById("f");
frame.onload = () => {{
  const page = frame.contentDocument, width = page.documentElement.clientWidth;
  const out = [...page.querySelectorAll("body *")].filter(e => {{
    const box = e.getBoundingClientRect();
    return box.right > width + 1 && !e.closest(".scroll, .drawing, .skip");
  }});
  document.body.dataset.found = JSON.stringify(
    [width, page.documentElement.scrollWidth, out.map(e => e.outerHTML.slice(0, 80))]);
}};
frame.srcdoc = {page};
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page in")
@pytest.mark.parametrize("width", [360, 1280])
def test_no_part_of_the_page_is_wider_than_the_screen(small, tmp_path, width):
    text = (small[0] / "small.html").read_text(encoding="utf-8")
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(WRAPPER.format(width=width, page=quoted.replace("</", "<\\/")), "utf-8")
    found = dumped(wrapper, tmp_path / "profile")
    match = re.search(r'data-found="([^"]*)"', found)
    assert match, found[:500]
    assert html.unescape(match[1]) == f"[{width},{width},[]]"


def dumped(page, profile):
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | {"HOME": str(profile)},
    )
    return done.stdout
