"""Errors a person can act on: what is wrong, where, and what to write instead.

A `RequestError` says that the request itself was wrong (exit status 2), a `RunError` that a correct
request could not be carried out (exit status 1).
"""

from __future__ import annotations

import difflib
import errno
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

LONGEST_MESSAGE = 4_000
"""Characters of the longest message; the middle of a longer one is left out."""

_LONGEST_VALUE = 80
_LONGEST_LIST = 1_500


class ManyseedsError(Exception):
    """Base of every error that manyseeds raises on purpose; shown without a traceback."""

    exit_status = 1

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, LONGEST_MESSAGE))


class RequestError(ManyseedsError):
    """The request was wrong: an unknown name, a wrong type, a missing data set."""

    exit_status = 2


class RunError(ManyseedsError):
    """The request was right but could not be carried out: a full disk, a broken ledger."""


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters: the middle of a longer one is left out.

    >>> shortened("a" * 100, 40)
    'aaaaaaaa … (85 characters more) …aaaaaaa'
    """
    if len(text) <= most:
        return text
    gap = f" … ({len(text) - most + 25:,} characters more) …"
    start = (most - len(gap) + 1) // 2
    return f"{text[:start]}{gap}{text[len(text) - (most - len(gap) - start) :]}"


def quoted(value: object) -> str:
    """Return a value as messages show it, in at most 80 characters.

    >>> quoted("a name"), quoted(True)
    ("'a name'", 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()  # as TOML has it
    if isinstance(value, int) and value.bit_length() > _LONGEST_VALUE:
        return f"a number of {value.bit_length():,} bits"  # Python refuses to write the longest out
    return shortened(repr(value), _LONGEST_VALUE)


def printable(text: str) -> str:
    r"""Return a text with its control characters written out, so that a terminal shows them.

    >>> printable("red: \x1b[31m")
    'red: \\x1b[31m'
    """
    return "".join(c if c in "\n\t" or not _is_control(c) else ascii(c)[1:-1] for c in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _TURNING


_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of the text after them."""


class Notice(UserWarning):
    """A remark for a person that stops nothing: something was left out or passed over."""


_OTHER_PLACE = "choose another folder"

_NO_ANSWER = "its disk or network drive does not answer: check that, or {otherwise}"

_REMEDIES: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: "make room on its disk",
        errno.EDQUOT: "your quota is used up: remove files of yours on its disk",
        errno.EROFS: "its disk is read-only: {otherwise}",
        errno.EACCES: "ask its owner for permission, or {otherwise}",
        errno.EPERM: "ask its owner for permission, or {otherwise}",
        errno.EMFILE: "allow this program more open files, for instance with: ulimit -n 4096",
        errno.ENFILE: "the machine has too many files open: end other programs",
        errno.ENAMETOOLONG: "the path is too long: {otherwise}, with a shorter path",
        errno.ENOTDIR: "a file is in the place of a folder: move it away, or {otherwise}",
        errno.EISDIR: "a folder is in the place of a file: move it away, or {otherwise}",
        errno.EEXIST: "something else is in its place: move it away, or {otherwise}",
        errno.ENOENT: "make the folder, or {otherwise}",
        errno.ELOOP: "its symbolic links lead in a circle: {otherwise}",
        errno.EINVAL: "its disk does not allow this name: {otherwise}",
        errno.EILSEQ: "its disk does not allow this name: {otherwise}",
        errno.ENOMEM: "free some memory",
        errno.EIO: _NO_ANSWER,
        errno.ENODEV: _NO_ANSWER,
        errno.ESTALE: _NO_ANSWER,
        errno.ETIMEDOUT: _NO_ANSWER,
    }
)
"""What to do about a failed file operation, by its error number."""


def remedy(error: OSError, otherwise: str = _OTHER_PLACE) -> str:
    """Return what to do about a failed file operation; "" if nothing is known.

    Parameters
    ----------
    error
        The failure.
    otherwise
        The way out where the place itself is the trouble.

    Examples
    --------
    >>> remedy(OSError(errno.ENOSPC, "No space left on device"))
    'make room on its disk'
    >>> remedy(OSError(errno.EROFS, "Read-only file system"), "choose another --out folder")
    'its disk is read-only: choose another --out folder'
    """
    return _REMEDIES.get(error.errno or 0, "").format(otherwise=otherwise)


def file_failure(action: str, path: Path, error: OSError, otherwise: str = _OTHER_PLACE) -> str:
    """Return sentences that say which file operation failed, why, and what to do about it.

    >>> file_failure("write", Path("a/b"), OSError(errno.ENOSPC, "No space left on device"))
    'cannot write a/b: No space left on device. Make room on its disk.'
    """
    advice = remedy(error, otherwise)
    sentence = f" {advice[0].upper()}{advice[1:]}." if advice else ""
    return f"cannot {action} {path}: {reason(error)}.{sentence}"


def reason(error: OSError) -> str:
    """Return why a file operation failed, in the system's words."""
    if error.errno is not None and error.errno > 0:  # a library's own words can be a paragraph
        return os.strerror(error.errno)
    return error.strerror or str(error)


@contextmanager
def explained(action: str, path: Path, otherwise: str = _OTHER_PLACE) -> Iterator[None]:
    """Turn a failed file operation into a `RunError` that says what to do about it."""
    try:
        yield
    except OSError as error:
        raise RunError(file_failure(action, path, error, otherwise)) from error


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name`, or None if none is similar.

    Capital letters, surrounding blanks and the way in which Unicode spells a letter do not count.

    >>> nearest("sgdd", ["adam", "sgd"])
    'sgd'
    >>> nearest("SGD", ["adam", "sgd"])
    'sgd'
    """
    if len(name) > _LONGEST_VALUE:  # comparing two long texts takes hours
        return None
    plain = {_plain(other): other for other in known if other != name}
    matches = difflib.get_close_matches(_plain(name), list(plain), n=1, cutoff=0.5)
    return plain[matches[0]] if matches else None


def _plain(name: str) -> str:
    """Return a name as it is compared: without what a person may not see."""
    visible = "".join(c for c in name if unicodedata.category(c) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFKC", visible).strip().casefold()


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a sentence that says `name` is unknown, suggests the nearest name and lists them.

    Parameters
    ----------
    kind
        The kind of thing that the name should refer to: "suite", "recipe", ….
    name
        The unknown name.
    known
        All names of this kind; of very many, the first are listed.

    Examples
    --------
    >>> unknown("optimizer", "adamm", ["sgd", "adam"])
    "unknown optimizer 'adamm'. Did you mean 'adam'? Known: adam, sgd."

    Two names can look alike, such as é as one letter and é as e with an accent. The letters of both
    are then spelled out.
    """
    names = sorted(set(known))
    guess = nearest(name, names)
    listed = _listed(names) or "none"
    if guess is None:
        return f"unknown {kind} {quoted(name)}. Known: {listed}."
    spelled = not (name.isascii() and guess.isascii())
    wrong, right = (f"{n!r}, written {n!a}" if spelled else repr(n) for n in (name, guess))
    return f"unknown {kind} {wrong}. Did you mean {right}? Known: {listed}."


def _listed(names: list[str]) -> str:
    """Return names in a row, as many as fit, and how many more there are."""
    room, shown = _LONGEST_LIST, 0
    while shown < len(names) and len(names[shown]) < room:
        room -= len(names[shown]) + len(", ")
        shown += 1
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest:,} more" if rest else "")
