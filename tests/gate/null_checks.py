"""False alarms of whole checks: `python -m tests.gate.null_checks --markdown FILE --times N`.

The command is run again and again against the baseline of the same version, in other processes,
with nothing else on the machine and with every core kept busy by something else. Whatever fails is
a false alarm.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from manyseeds.processes.host import cores
from tests.gate.null_timing import load, rows
from tests.gate.planted import COMMAND

PAGE = """\
# False alarms of whole checks

Made by

    {command}

Each check is the real command against the baseline of the same version, in new processes: {times}
times with nothing else on the machine, {times} times beside as many busy processes as there are
cores. Whatever fails is a false alarm.

{table}
"""


def checked(asked):
    """Run a check and return what it says."""
    with tempfile.TemporaryDirectory() as results:
        where = [part for layer in asked.layer for part in ("--layer", layer)]
        where += ["--baseline", str(asked.baseline), "--results", results]
        answer = subprocess.run(
            [*COMMAND, "check", "--json", *where], capture_output=True, text=True, check=False
        )
    if not answer.stdout:
        raise RuntimeError(answer.stderr[-2000:])
    return json.loads(answer.stdout)


def main():
    """Check, count, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, required=True)
    parser.add_argument("--baseline", type=Path, default=Path("results/baseline/check"))
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    lines = {}
    for busy in (0, cores()):
        for _ in range(asked.times):
            with load(busy):
                report = checked(asked)
            for layer in report["layers"]:
                key = layer["layer"], busy
                seen = lines.setdefault(key, {"states": Counter(), "failed": 0, "seconds": []})
                seen["states"].update(layer["states"])
                seen["seconds"].append(layer["seconds"])
                own = [each for each in report["findings"] if each["layer"] == layer["layer"]]
                seen["failed"] += sum(each["fails"] for each in own)
                print(busy, layer, [each["row"] for each in own if each["fails"]], flush=True)
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
        times=asked.times,
        table=rows([*heads, "share", "seconds"], table),
    )
    asked.markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
