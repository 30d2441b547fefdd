"""Files of data sets: found on this machine or downloaded once, and never used unchecked.

The check is of the SHA-256 of the decompressed content, because distributions repack archives, and
a plain file is as good as a compressed one.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyseeds.errors import Notice, RequestError, file_failure

FOLDER_VARIABLE = "MANYSEEDS_DATA"
DEBIAN = Path("/usr/share/datasets")
_DECOMPRESSORS = {b"\x1f\x8b": gzip.decompress, b"\xfd7zXZ\x00": lzma.decompress}


def decompress(content: bytes) -> bytes:
    """Return content decompressed from gzip or xz, and other content unchanged.

    The first bytes decide, not the file's name: a browser may have decompressed a `.gz` already.
    """
    for magic, decompressor in _DECOMPRESSORS.items():
        if content.startswith(magic):
            return decompressor(content)
    return content


def verified(where: str, content: bytes, sha256: str, remedy: str) -> bytes:
    """Return the decompressed content if its SHA-256 is the expected one.

    Parameters
    ----------
    where
        The file's name or path, for the message.
    content
        The file as stored, compressed or plain.
    sha256
        The expected SHA-256 of the decompressed content, in hexadecimal digits.
    remedy
        The remedy for a damaged file, for the message.

    Raises
    ------
    RequestError
        The file cannot be decompressed, or its content has another SHA-256.
    """
    problem = _problem(content, sha256)
    if problem:
        raise RequestError(f"{where} is damaged or the wrong file: {problem}. {remedy}")
    return decompress(content)


def _problem(content: bytes, sha256: str) -> str:
    """Return why content is not the expected one; "" if it is."""
    try:
        plain = decompress(content)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        return f"it cannot be decompressed ({error})"
    digest = hashlib.sha256(plain).hexdigest()
    if digest == sha256:
        return ""
    return f"the SHA-256 of its decompressed content should be {sha256} but is {digest}"


@dataclass(frozen=True)
class Source:
    """The places that the files of a data set can come from.

    A file, plain or compressed, is looked for in `$MANYSEEDS_DATA/<name>`, in the folders of other
    programs below `$MANYSEEDS_DATA`, in `$MANYSEEDS_DATA` itself, Debian's folder, Keras's folder
    and the cache of earlier downloads, in this order, and then downloaded. A file of the right name
    with another content, such as that of a similar data set, is passed over with a `Notice`.

    Attributes
    ----------
    name
        The name of the data set and of its folder.
    address
        The address before `<file>.gz`; it ends with a slash.
    package
        The Debian package of the data set; None if there is none.
    sha256
        SHA-256 of every file's decompressed content, by the file's name.
    layouts
        Folders that other programs make for this data set below the folder of all their data.
    """

    name: str
    address: str
    package: str | None
    sha256: Mapping[str, str]
    layouts: tuple[str, ...] = ()

    def content(self, file: str) -> bytes:
        """Return the decompressed and checked content of a file.

        Raises
        ------
        RequestError
            No file on this machine is the right one, and it cannot be downloaded.
        """
        passed_over: list[str] = []
        for path in self._candidates(file):
            try:
                content = path.read_bytes()
            except OSError as error:
                passed_over.append(file_failure("read", path, error).rstrip("."))
                continue
            if problem := _problem(content, self.sha256[file]):
                passed_over.append(f"{path} is damaged or the wrong file: {problem}")
                continue
            break
        else:
            content = self._downloaded(file, passed_over)
        if passed_over:
            notice = f"data set {self.name!r} is complete, but these files were passed over: "
            warnings.warn(notice + "; ".join(passed_over), Notice, stacklevel=2)
        return decompress(content)

    def folders(self) -> Iterator[Path]:
        """Yield the folders that are searched, in order; the last is the cache."""
        if chosen := os.environ.get(FOLDER_VARIABLE):
            root = _home_folder(chosen)
            yield root / self.name
            yield from (root / layout for layout in self.layouts)
            yield from (root, root / "raw")
        yield DEBIAN / self.name
        keras = _home_folder(os.environ.get("KERAS_HOME") or "~/.keras")
        if keras.is_absolute():  # else the user has no home
            yield keras / "datasets" / self.name
        if cache := self._cache():
            yield cache

    def _cache(self) -> Path | None:
        """Return this data set's folder in the user's cache; None for a user without a home."""
        import pooch

        try:
            cache = Path(pooch.os_cache("manyseeds"))
        except RuntimeError:
            return None
        return cache / self.name if cache.is_absolute() else None

    def _candidates(self, file: str) -> Iterator[Path]:
        """Yield the files on this machine that may be the one, by their names."""
        for folder in self.folders():
            for name in _names(file):
                # Path.is_file raises on a folder without permission; os.path.isfile does not.
                if os.path.isfile(path := folder / name):
                    yield path

    def _downloaded(self, file: str, passed_over: Sequence[str]) -> bytes:
        """Download a file into the cache, in place of one that is damaged, and return its content.

        Raises
        ------
        RequestError
            It cannot be downloaded; the message names the files that were `passed_over`.
        """
        import pooch

        address, cache = f"{self.address}{file}.gz", self._cache()
        if cache is None:
            no_home = OSError("you have no home to keep it in")
            raise RequestError(self._not_obtained(file, passed_over, no_home))
        cached = cache / f"{file}.gz"

        def download(url: str, partial: Any, fetcher: Any) -> None:
            # Checked here, before pooch moves the partial file into the cache.
            pooch.HTTPDownloader()(url, partial, fetcher)
            remedy = f"The server sent something else: try again later, or {self._remedy()}."
            verified(url, Path(partial).read_bytes(), self.sha256[file], remedy)

        # pooch downloads no file that is there already: a damaged one is replaced afterwards.
        name = f"{cached.name}.new" if cached.exists() else cached.name
        fetcher = pooch.create(
            path=cache, base_url=self.address, registry={name: None}, urls={name: address}
        )
        try:
            downloaded = Path(fetcher.fetch(name, downloader=download))
            if downloaded != cached:
                downloaded.replace(cached)
            return cached.read_bytes()
        except OSError as error:  # requests' exceptions are among them
            raise RequestError(self._not_obtained(file, passed_over, error)) from error

    def _not_obtained(self, file: str, passed_over: Sequence[str], error: OSError) -> str:
        seen = f"Passed over: {'; '.join(passed_over)}. No other" if passed_over else "No"
        searched = ", ".join(map(str, self.folders()))
        return (
            f"data set {self.name!r} is not on this machine. {seen} {file} (plain, .gz or .xz) is "
            f"in {searched}; and {self.address}{file}.gz could not be "
            f"downloaded ({error}). To get it, {self._remedy()}; or run once with access to the "
            "network."
        )

    def _remedy(self) -> str:
        folder = (
            f"set {FOLDER_VARIABLE} to a folder that has {', '.join(self.sha256)} (plain or .gz)"
        )
        return f"run apt-get install {self.package}; or {folder}" if self.package else folder


def _names(file: str) -> Iterator[str]:
    """Yield the names under which a file is distributed, plain and compressed.

    Some mirrors write a dot before "idx3-ubyte"; some archives unpack each file into a folder of
    its own name.
    """
    for plain in dict.fromkeys((file, re.sub(r"-(idx\d-ubyte)$", r".\1", file))):
        yield from (plain, f"{plain}.gz", f"{plain}.xz", f"{plain}/{plain}", f"{plain}/{file}")


def _home_folder(path: str) -> Path:
    """Return a path in which "~" stands for the user's folder, as in a shell."""
    return Path(os.path.expanduser(path))
