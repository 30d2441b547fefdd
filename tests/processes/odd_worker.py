"""A worker that does what a test asks for. It prints as it is imported, as some frameworks do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from manyseeds.errors import RequestError, RunError
from manyseeds.processes.serving import log_to, serve, worker_arguments

print("printed on import")
ANSWERS = int(sys.argv[2])


def answer(request, send):
    match request:
        case {"echo": content}:
            send({"echo": content})
        case {"print": text}:
            print(text)
            print(text, file=sys.stderr)
            os.write(1, text.encode())
            os.write(2, text.encode())
            send({"printed": len(text)})
        case {"refuse": text}:
            raise RequestError(text)
        case {"fail": text}:
            raise RunError(text)
        case {"sleep": seconds}:
            time.sleep(seconds)
            send({"slept": seconds})
        case {"log to": path}:
            log_to(Path(path))
            print("to the other log")
            sys.stdout.flush()
            send({})
        case {"import": name}:
            __import__(name)
            send({"file": getattr(sys.modules[name], "__file__", None)})
        case {"surroundings": _}:
            send(
                {
                    "folder": os.getcwd(),
                    "input": sys.stdin.read(),
                    "path": sys.path,
                    "modules": sorted(sys.modules),
                    "arguments": worker_arguments(),
                    "environment": dict(os.environ),
                    "user site": not sys.flags.no_user_site,
                }
            )
        case _:
            end(request, send)


def end(request, send):
    match request:
        case {"crash": text}:
            raise ArithmeticError(text)
        case {"exit": status}:
            sys.exit(status)
        case {"die in a message": number}:
            os.write(ANSWERS, bytes(7) + b"\x80" + b'{"message": {"half')
            os.kill(os.getpid(), number)
        case {"close": _}:
            os.close(ANSWERS)
            time.sleep(3600)
        case {"leave a child": _}:
            child = subprocess.Popen(["sleep", "3600"], close_fds=False)
            send({"child": child.pid})
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(answer)
