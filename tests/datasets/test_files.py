"""Files of data sets: searched in order, downloaded at most once, never used unchecked."""

import gzip
import hashlib
import lzma
import socket
import warnings
from dataclasses import replace
from pathlib import Path

import pooch
import pytest

from manyseeds.datasets import files
from manyseeds.datasets.fashion_mnist import SOURCE as FASHION_MNIST
from manyseeds.datasets.files import Source
from manyseeds.datasets.mnist import SOURCE as MNIST
from manyseeds.errors import Notice, RequestError

CONTENT = b"the content of the file" * 100
SOURCE = Source(
    name="letters",
    address="http://data.example/letters/",
    package="dataset-letters",
    sha256={"letters-idx": hashlib.sha256(CONTENT).hexdigest()},
    layouts=("Letters/raw",),
)
LABELS = replace(SOURCE, sha256={"letters-idx1-ubyte": SOURCE.sha256["letters-idx"]})


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Four empty roots in place of this machine's folders."""
    roots = {name: tmp_path / name for name in ("chosen", "debian", "cache", "keras")}
    monkeypatch.setenv("MANYSEEDS_DATA", str(roots["chosen"]))
    monkeypatch.setenv("KERAS_HOME", str(roots["keras"]))
    monkeypatch.setattr(files, "DEBIAN", roots["debian"])
    monkeypatch.setattr(pooch, "os_cache", lambda project: roots["cache"] / project)
    return roots


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Refuse every connection, as a machine without a network does."""

    def refuse(*_args, **_kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def server(monkeypatch):
    """A server that sends the test's `server["body"]` and records the addresses."""
    state = {"body": gzip.compress(CONTENT), "urls": []}

    def send(_self, url, output_file, _pooch, check_only=False):
        state["urls"].append(url)
        Path(output_file).write_bytes(state["body"])
        if "breaks" in state:
            raise state["breaks"]

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", send)
    return state


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
@pytest.mark.parametrize("name", ["letters-idx", "letters-idx.gz"])
def test_plain_and_compressed_files_are_equally_good(places, pack, name):
    put(places["chosen"] / "letters" / name, pack(CONTENT))
    assert SOURCE.content("letters-idx") == CONTENT


def test_a_repacked_archive_is_the_same_file(places):
    put(places["debian"] / "letters" / "letters-idx.gz", gzip.compress(CONTENT, 1, mtime=7))
    assert SOURCE.content("letters-idx") == CONTENT


def test_folders_are_searched_in_the_documented_order(places):
    expected = [
        places["chosen"] / "letters",
        places["chosen"] / "Letters" / "raw",
        places["chosen"],
        places["chosen"] / "raw",
        places["debian"] / "letters",
        places["keras"] / "datasets" / "letters",
        places["cache"] / "manyseeds" / "letters",
    ]
    assert list(SOURCE.folders()) == expected
    for folder in reversed(expected):
        put(folder / "letters-idx", CONTENT)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert SOURCE.content("letters-idx") == CONTENT
        # It would be passed over, with a notice, if it were looked at before the others.
        (folder / "letters-idx").write_bytes(b"wrong")


def test_a_similar_data_set_in_an_earlier_folder_is_passed_over_and_said(places):
    """As MNIST's files, which have the names of Fashion-MNIST's."""
    similar = put(places["chosen"] / "letters-idx", b"other letters")
    broken = put(places["debian"] / "letters" / "letters-idx.gz", b"\x1f\x8bnot gzip")
    put(places["cache"] / "manyseeds" / "letters" / "letters-idx.gz", CONTENT)
    with pytest.warns(Notice, match="data set 'letters'") as notices:
        assert SOURCE.content("letters-idx") == CONTENT
    (notice,) = [str(notice.message) for notice in notices]
    digest, wanted = hashlib.sha256(b"other letters").hexdigest(), SOURCE.sha256["letters-idx"]
    assert f"{similar} is damaged or the wrong file: the SHA-256 of its" in notice
    assert f"should be {wanted} but is {digest}" in notice
    assert f"{broken} is damaged or the wrong file: it cannot be decompressed" in notice


@pytest.mark.parametrize(
    "name",
    [
        "letters.idx",
        "letters.idx.gz",
        "letters-idx.xz",
        "letters-idx/letters-idx",
        "letters.idx/letters-idx",
        "letters/letters.idx",
        "Letters/raw/letters-idx",
        "raw/letters-idx.gz",
    ],
)
def test_the_names_and_folders_of_other_programs_are_known(places, name):
    put(places["chosen"] / name.replace("idx", "idx1-ubyte"), CONTENT)
    assert LABELS.content("letters-idx1-ubyte") == CONTENT


def test_keras_s_folder_is_searched(places):
    put(places["keras"] / "datasets" / "letters" / "letters-idx.gz", gzip.compress(CONTENT))
    assert SOURCE.content("letters-idx") == CONTENT


def test_a_tilde_in_the_variable_stands_for_the_home_folder(places, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MANYSEEDS_DATA", "~/data")
    put(tmp_path / "home" / "data" / "letters-idx", CONTENT)
    assert SOURCE.content("letters-idx") == CONTENT


@pytest.mark.parametrize(
    ("source", "folder"), [(FASHION_MNIST, "FashionMNIST/raw"), (MNIST, "MNIST/raw")]
)
def test_torchvision_s_folders_are_searched(places, source, folder):
    assert places["chosen"] / folder in list(source.folders())


def test_without_the_variable_the_other_folders_are_searched(places, monkeypatch):
    monkeypatch.setenv("MANYSEEDS_DATA", "")
    assert next(iter(SOURCE.folders())) == places["debian"] / "letters"


def test_the_error_for_a_wrong_checksum_names_file_hashes_and_remedy(places):
    wrong = b"something else"
    path = put(places["debian"] / "letters" / "letters-idx.gz", gzip.compress(wrong))
    with pytest.raises(RequestError) as caught:
        SOURCE.content("letters-idx")
    message = str(caught.value)
    assert f"Passed over: {path} is damaged or the wrong file" in message
    assert SOURCE.sha256["letters-idx"] in message
    assert hashlib.sha256(wrong).hexdigest() in message
    assert "No other letters-idx (plain, .gz or .xz) is in" in message
    assert "To get it, run apt-get install dataset-letters" in message


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b[:-9],
        lambda b: b[:20],
        lambda b: b[:12] + b"?" * 30,
        lambda b: b[:10] + b"\xff" * 30,
    ],
)
def test_an_archive_that_cannot_be_unpacked_is_a_request_error(places, pack, spoil):
    path = put(places["chosen"] / "letters-idx.gz", spoil(pack(CONTENT)))
    with pytest.raises(RequestError, match="damaged") as caught:
        SOURCE.content("letters-idx")
    assert str(path) in str(caught.value)


def test_a_file_without_permission_to_read_is_a_request_error(places, monkeypatch):
    path = put(places["chosen"] / "letters-idx", CONTENT)

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(RequestError, match="Permission denied") as caught:
        SOURCE.content("letters-idx")
    assert str(path) in str(caught.value)


def test_without_file_and_network_the_error_says_how_to_get_it(places):
    with pytest.raises(RequestError) as caught:
        SOURCE.content("letters-idx")
    message = str(caught.value)
    for folder in SOURCE.folders():
        assert str(folder) in message
    assert "apt-get install dataset-letters" in message
    assert "set MANYSEEDS_DATA" in message
    assert "network" in message
    assert "http://data.example/letters/letters-idx.gz" in message
    assert caught.value.exit_status == 2
    assert files_below(places["cache"]) == []


def test_without_a_debian_package_the_error_recommends_none(places):
    source = Source("letters", SOURCE.address, None, SOURCE.sha256)
    with pytest.raises(RequestError) as caught:
        source.content("letters-idx")
    assert "apt-get" not in str(caught.value)


def test_a_downloaded_file_stays_in_the_cache(places, server):
    assert SOURCE.content("letters-idx") == CONTENT
    assert SOURCE.content("letters-idx") == CONTENT
    assert server["urls"] == ["http://data.example/letters/letters-idx.gz"]
    cached = places["cache"] / "manyseeds" / "letters" / "letters-idx.gz"
    assert files_below(places["cache"]) == [cached]


def test_a_damaged_file_in_the_cache_is_downloaded_again(places, server):
    cached = put(places["cache"] / "manyseeds" / "letters" / "letters-idx.gz", b"cut off")
    server["body"] = b"<html>please log in</html>"
    with pytest.raises(RequestError, match="The server sent something else"):
        SOURCE.content("letters-idx")
    assert cached.read_bytes() == b"cut off"
    server["body"] = gzip.compress(CONTENT)
    with pytest.warns(Notice, match="passed over"):
        assert SOURCE.content("letters-idx") == CONTENT
    assert files_below(places["cache"]) == [cached]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SOURCE.content("letters-idx") == CONTENT
    assert server["urls"] == ["http://data.example/letters/letters-idx.gz"] * 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>please log in</html>", id="a page"),
        pytest.param(gzip.compress(CONTENT)[:-9], id="cut off"),
        pytest.param(b"", id="nothing"),
        pytest.param(gzip.compress(b"x"), id="another file"),
    ],
)
def test_a_wrong_download_never_reaches_the_cache(places, server, body):
    server["body"] = body
    with pytest.raises(RequestError, match="The server sent something else"):
        SOURCE.content("letters-idx")
    assert files_below(places["cache"]) == []
    server["body"] = gzip.compress(CONTENT)
    assert SOURCE.content("letters-idx") == CONTENT


@pytest.mark.parametrize("breaks", [ConnectionResetError("reset"), KeyboardInterrupt()])
def test_a_broken_download_leaves_nothing_behind(places, server, breaks):
    server["body"] = gzip.compress(CONTENT)[:30]
    server["breaks"] = breaks
    expected = KeyboardInterrupt if isinstance(breaks, KeyboardInterrupt) else RequestError
    with pytest.raises(expected):
        SOURCE.content("letters-idx")
    assert files_below(places["cache"]) == []


def test_a_cache_that_cannot_be_written_is_a_request_error(places, server):
    put(places["cache"], b"a file where the folder should be")
    with pytest.raises(RequestError, match="To get it"):
        SOURCE.content("letters-idx")
