"""Counts false alarms of whole checks.

    python -m tests.gate.null_checks --markdown FILE --times N

The command is run repeatedly against the baseline of the same version, in new processes, on an idle
machine and with every core kept busy by another process. Every failing row is a false alarm.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from manyseeds.presentation.markdown import markdown_rows
from manyseeds.processes.host import cores
from tests.gate.null_timing import load
from tests.gate.planted import COMMAND

PAGE = """\
# False alarms of whole checks

Made by

    {command}

Each check is the real command against the baseline of the same version, in new processes: {times}
on an idle machine, and {times} beside as many busy processes as there are cores. Every failing
row is a false alarm.

{table}
"""


def checked(options):
    """Run a check and return its report."""
    with tempfile.TemporaryDirectory() as results:
        where = [part for layer in options.layer for part in ("--layer", layer)]
        where += ["--baseline", str(options.baseline), "--results", results]
        answer = subprocess.run(
            [*COMMAND, "check", "--json", *where], capture_output=True, text=True, check=False
        )
    if not answer.stdout:
        raise RuntimeError(answer.stderr[-2000:])
    return json.loads(answer.stdout)


def main():
    """Run the checks, count false alarms, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--baseline", type=Path, default=Path("results/baseline/check"))
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    lines = {}
    for busy in (0, cores()):
        for _ in range(options.times):
            with load(busy):
                report = checked(options)
            for layer in report["layers"]:
                key = layer["layer"], busy
                seen = lines.setdefault(key, {"states": Counter(), "failed": 0, "seconds": []})
                seen["states"].update(layer["states"])
                seen["seconds"].append(layer["seconds"])
                failing = [
                    finding["row"]
                    for finding in report["findings"]
                    if finding["layer"] == layer["layer"] and finding["fails"]
                ]
                seen["failed"] += len(failing)
                print(busy, layer, failing, flush=True)
    table = [
        (
            layer,
            busy or "none",
            len(seen["seconds"]),
            seen["states"].total(),
            seen["states"]["unchanged"],
            seen["states"]["cannot tell"],
            seen["failed"],
            f"{seen['failed'] / seen['states'].total():.1%}",
            f"{min(seen['seconds']):.0f} to {max(seen['seconds']):.0f}",
        )
        for (layer, busy), seen in sorted(lines.items())
    ]
    heads = ("layer", "busy beside", "checks", "comparisons", "unchanged", "cannot tell", "failed")
    text = PAGE.format(
        command="python -m tests.gate.null_checks " + " ".join(sys.argv[1:]),
        times=options.times,
        table=markdown_rows([*heads, "share", "seconds"], table, numbers_from=1),
    )
    options.markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
