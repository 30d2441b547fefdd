"""Files of data sets: found on this machine or downloaded once, and never used unchecked.

The check is of the SHA-256 of the decompressed content, because distributions repack archives, and
a plain file is as good as a compressed one.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyseeds.errors import RequestError

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
    try:
        plain = decompress(content)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        problem = f"it cannot be decompressed ({error})"
    else:
        digest = hashlib.sha256(plain).hexdigest()
        if digest == sha256:
            return plain
        problem = f"the SHA-256 of its decompressed content should be {sha256} but is {digest}"
    raise RequestError(f"{where} is damaged or the wrong file: {problem}. {remedy}")


@dataclass(frozen=True)
class Source:
    """The places that the files of a data set can come from.

    A file, plain or as `.gz`, is looked for in `$MANYSEEDS_DATA/<name>`, `$MANYSEEDS_DATA`,
    Debian's folder and the cache of earlier downloads, in this order, and then downloaded.

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
    """

    name: str
    address: str
    package: str | None
    sha256: Mapping[str, str]

    def content(self, file: str) -> bytes:
        """Return the decompressed and checked content of a file.

        Raises
        ------
        RequestError
            The file on this machine is not the right one, or there is none and it cannot be
            downloaded.
        """
        return self._read(file, self._find(file) or self._download(file))

    def folders(self) -> Iterator[Path]:
        """Yield the folders that are searched, in order; the last is the cache."""
        if chosen := os.environ.get(FOLDER_VARIABLE):
            yield Path(chosen) / self.name
            yield Path(chosen)
        yield DEBIAN / self.name
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

    def _find(self, file: str) -> Path | None:
        candidates = (folder / name for folder in self.folders() for name in (file, f"{file}.gz"))
        # Path.is_file raises on a folder without permission to read; os.path.isfile does not.
        return next((path for path in candidates if os.path.isfile(path)), None)

    def _read(self, file: str, path: Path) -> bytes:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RequestError(
                f"{path} of data set {self.name!r} cannot be read: {error}"
            ) from error
        remedy = f"Remove it, or put {file} of data set {self.name!r} in its place."
        return verified(str(path), content, self.sha256[file], remedy)

    def _download(self, file: str) -> Path:
        import pooch

        cache, packed = self._cache(), f"{file}.gz"
        if cache is None:
            no_home = OSError("you have no home to keep it in")
            raise RequestError(self._not_obtained(file, no_home))

        def download(url: str, partial: Any, fetcher: Any) -> None:
            # Checked here, before pooch moves the partial file into the cache.
            pooch.HTTPDownloader()(url, partial, fetcher)
            remedy = f"The server sent something else: try again later, or {self._remedy()}."
            verified(url, Path(partial).read_bytes(), self.sha256[file], remedy)

        fetcher = pooch.create(path=cache, base_url=self.address, registry={packed: None})
        try:
            return Path(fetcher.fetch(packed, downloader=download))
        except OSError as error:  # requests' exceptions are among them
            raise RequestError(self._not_obtained(file, error)) from error

    def _not_obtained(self, file: str, error: OSError) -> str:
        searched = ", ".join(map(str, self.folders()))
        return (
            f"data set {self.name!r} is not on this machine: neither {file} nor {file}.gz is in "
            f"{searched}; and {self.address}{file}.gz could not be downloaded ({error}). "
            f"To get it, {self._remedy()}; or run once with access to the network."
        )

    def _remedy(self) -> str:
        folder = (
            f"set {FOLDER_VARIABLE} to a folder that has {', '.join(self.sha256)} (plain or .gz)"
        )
        return f"run apt-get install {self.package}; or {folder}" if self.package else folder
