"""Opens pages in headless Chromium and asks them questions."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE_VERSION = "4.10.3"
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
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
ASKED = """<script>
(async () => {{
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const answer = await (async () => {{ {question} }})();
  document.body.dataset.answer = JSON.stringify(answer);
}})();
</script>"""
FRAMED = """<!doctype html><body>
<iframe id="f" width="{width}" height="900" style="border:0"></iframe>
<script>
const frame = document.getElementById("f");
frame.onload = () => {{
  const page = frame.contentDocument;
  const all = (selector, within = page) => [...within.querySelectorAll(selector)];
  const answer = (() => {{ {question} }})();
  document.body.dataset.answer = JSON.stringify(answer);
}};
frame.srcdoc = {page};
</script></body>"""


def ask(page: Path, question: str, folder: Path) -> Any:
    """Return what a script's `return` says at the end of the page.

    The page's policy would keep the question from running, so that the copy that is asked has none.
    """
    text = POLICY.sub("", page.read_text(encoding="utf-8"))
    return _answer(text.replace("</body>", ASKED.format(question=question) + "</body>"), folder)


def ask_framed(page: Path, question: str, width: int, folder: Path) -> Any:
    """Return what a script says about `page`, the document as it is in a frame of some width."""
    quoted = json.dumps(page.read_text(encoding="utf-8")).replace("</", "<\\/")
    quoted = quoted.replace("<!--", "<\\!--")
    return _answer(FRAMED.format(width=width, question=question, page=quoted), folder)


def dumped(page: Path, folder: Path, *flags: str) -> str:
    """Return the document after its scripts have run."""
    assert CHROMIUM
    profile = folder / "profile"
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=10000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | {"HOME": str(profile)},
    )
    return done.stdout


def _answer(text: str, folder: Path) -> Any:
    copy = folder / "asked.html"
    copy.write_text(text, encoding="utf-8")
    found = dumped(copy, folder)
    match = re.search(r'<body[^>]*? data-answer="([^"]*)"', found)
    assert match, found[-1500:]
    return json.loads(html.unescape(match[1]))


def axe(folder: Path) -> str | None:
    """Return the text of axe-core, from npm; None where it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    command = [npm, "install", "--silent", "--no-save", "--prefix", str(folder)]
    try:
        subprocess.run(
            [*command, f"axe-core@{AXE_VERSION}"], capture_output=True, timeout=120, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
