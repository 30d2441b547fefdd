"""Functions for a worker process to call."""

import os
import sys
import time
import warnings

from manyseeds.errors import RequestError


class Remark(UserWarning):
    """A warning of somebody else's."""


def surroundings(name):
    return {"pid": os.getpid(), "value": os.environ.get(name), "warnings": sys.warnoptions}


def after(seconds, value):
    time.sleep(seconds)
    return value


def refuse(text):
    raise RequestError(text)


def crash(text):
    raise ArithmeticError(text)


def die(status):
    os._exit(status)


def warn(text):
    warnings.warn(Remark(text), stacklevel=1)
    return text
