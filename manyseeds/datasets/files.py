"""Files of data sets: found on this machine or fetched once, and never used unchecked.

What is checked is the SHA-256 of the decompressed content: distributions repack archives, and a
plain file is as good as a compressed one.
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
    """Undo gzip or xz, told by the first bytes: a browser may have unpacked a `.gz` already."""
    for magic, undo in _DECOMPRESSORS.items():
        if content.startswith(magic):
            return undo(content)
    return content


def verified(where: str, content: bytes, sha256: str, remedy: str) -> bytes:
    """Return the decompressed content if its SHA-256 is the expected one.

    Parameters
    ----------
    where
        The file's name or path, for the error.
    content
        The file as it is stored, compressed or plain.
    sha256
        The expected SHA-256 of the decompressed content, in hexadecimal digits.
    remedy
        What to do about a damaged file, for the error.

    Raises
    ------
    RequestError
        If the file cannot be decompressed or its content is another.
    """
    try:
        plain = decompress(content)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        found = f"it cannot be decompressed ({error})"
    else:
        digest = hashlib.sha256(plain).hexdigest()
        if digest == sha256:
            return plain
        found = f"found {digest}"
    raise RequestError(
        f"{where} is damaged or another file: expected SHA-256 {sha256} of its decompressed "
        f"content, {found}. {remedy}"
    )


@dataclass(frozen=True)
class Source:
    """Where the files of a data set are had.

    A file, plain or as `.gz`, is looked for in `$MANYSEEDS_DATA/<name>`, `$MANYSEEDS_DATA`,
    Debian's folder and the cache of earlier fetches, in this order, and then fetched.

    Attributes
    ----------
    name
        The data set's name, and that of its folder.
    address
        Where `<file>.gz` is fetched from; ends with a slash.
    package
        The Debian package that has it, if there is one.
    sha256
        File -> SHA-256 of its decompressed content.
    """

    name: str
    address: str
    package: str | None
    sha256: Mapping[str, str]

    def content(self, file: str) -> bytes:
        """Return a file's decompressed content, checked.

        Raises
        ------
        RequestError
            If the file found is not the right one, or none is found and none can be fetched.
        """
        found = self._find(file)
        return self._read(file, found if found else self._fetch(file))

    def folders(self) -> Iterator[Path]:
        """Yield the folders that are looked in, in order; the last is the cache."""
        if chosen := os.environ.get(FOLDER_VARIABLE):
            yield Path(chosen) / self.name
            yield Path(chosen)
        yield DEBIAN / self.name
        yield self._cache()

    def _cache(self) -> Path:
        import pooch

        return Path(pooch.os_cache("manyseeds")) / self.name

    def _find(self, file: str) -> Path | None:
        candidates = (folder / name for folder in self.folders() for name in (file, f"{file}.gz"))
        # Unlike Path.is_file, os.path.isfile does not raise on a folder that may not be read.
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

    def _fetch(self, file: str) -> Path:
        import pooch

        packed = f"{file}.gz"

        def download(url: str, partial: Any, fetcher: Any) -> None:
            # Checked here, before pooch moves the partial file into the cache.
            pooch.HTTPDownloader()(url, partial, fetcher)
            remedy = f"The server sent something else; try again later, or: {self._ways()}."
            verified(url, Path(partial).read_bytes(), self.sha256[file], remedy)

        fetcher = pooch.create(path=self._cache(), base_url=self.address, registry={packed: None})
        try:
            return Path(fetcher.fetch(packed, downloader=download))
        except OSError as error:  # requests' exceptions are among them
            raise RequestError(self._absent(file, error)) from error

    def _absent(self, file: str, error: OSError) -> str:
        looked = ", ".join(map(str, self.folders()))
        return (
            f"data set {self.name!r} is not on this machine: neither {file} nor {file}.gz is in "
            f"{looked}; and {self.address}{file}.gz could not be fetched ({error}). "
            f"Ways to get it: {self._ways()}; or run once with access to the network."
        )

    def _ways(self) -> str:
        folder = (
            f"set {FOLDER_VARIABLE} to a folder that has {', '.join(self.sha256)} (plain or .gz)"
        )
        return f"apt-get install {self.package}; or {folder}" if self.package else folder
