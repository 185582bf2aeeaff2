"""Tarballs: read as Python's own tarfile writes them, refused where they are hostile."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pkgstats.fake_npm import tarball as pack

from pkgstats.records.model import README_BYTES_MAX
from pkgstats.sources import tarball
from pkgstats.sources.errors import AnswerError
from pkgstats.sources.tarball import check_integrity, inspect, read_header, readme_ending

FORMS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.mark.parametrize("form", FORMS)
@given(
    files=st.dictionaries(
        st.text("abcé", min_size=1, max_size=60), st.binary(max_size=2000), max_size=8
    )
)
@settings(max_examples=25)
def test_sizes_and_files_are_counted(form: int, files: dict[str, bytes]) -> None:
    files = {**files, "package.json": b'{"name": "a"}', "README.md": "# é".encode()}
    found = inspect(pack(files, form=form))
    assert found.unpacked == sum(map(len, files.values()))
    assert found.files == len(files)
    assert found.manifest == {"name": "a"}
    assert found.readme == "# é"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_paths_are_read(form: int) -> None:
    deep = "d/" * 120
    found = inspect(pack({f"{deep}README.md": b"inner", "README.md": b"outer"}, form=form))
    assert (found.readme, found.files) == ("outer", 2)


def test_a_long_path_in_two_fields() -> None:
    found = inspect(pack({"d" * 90 + "/" + "e" * 90: b"x"}, form=tarfile.USTAR_FORMAT))
    assert (found.files, found.readme, found.manifest) == (1, None, {})


def test_the_best_readme_is_taken() -> None:
    assert inspect(pack({"readme.txt": b"c", "ReadMe.MD": b"a", "README": b"b"})).readme == "a"
    assert inspect(pack({"README.md": b" \n", "README": b"b"})).readme == "b"
    assert inspect(pack({"README.fr.md": b"x", "src/README.md": b"y"})).readme is None
    assert readme_ending("readme.md") == ".md"
    assert readme_ending("readmex") is None
    assert inspect(pack({"README": b"\xff\xfe"})).readme == "\ufffd\ufffd"
    assert inspect(pack({"README.md": b"x" * (README_BYTES_MAX * 2)})).readme == (
        "x" * README_BYTES_MAX
    )


def test_folders_and_links_are_no_files() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            entry = tarfile.TarInfo("package/README.md")
            entry.type = kind
            archive.addfile(entry)
        entry = tarfile.TarInfo("./package/README.md")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"r"))
    found = inspect(out.getvalue())
    assert (found.files, found.readme) == (1, "r")


def test_an_archive_without_its_end_is_read() -> None:
    whole = gzip.decompress(pack({"README.md": b"r"}, form=tarfile.USTAR_FORMAT))
    assert inspect(gzip.compress(whole[:1024])).readme == "r"
    with pytest.raises(AnswerError, match="too early"):
        inspect(gzip.compress(whole[:513]))
    with pytest.raises(AnswerError, match="too early"):
        inspect(gzip.compress(whole[:100]))


def header(size: bytes = b"00000000001", kind: bytes = b"0") -> bytes:
    fields = b"package/a".ljust(100, b"\0") + b"0000644\0" * 3 + size.ljust(12, b"\0")
    data = bytearray((fields + b"0" * 11 + b"\0" + b" " * 8 + kind).ljust(512, b"\0"))
    data[148:156] = b"%06o\0 " % sum(data)
    return bytes(data)


def test_numbers_are_octal_or_in_base_256() -> None:
    assert read_header(header(b"00000000017")).size == 15
    assert read_header(header(b"\x80" + b"\0" * 10 + b"\x09")).size == 9
    for size in (b"-0000000001", b"1_000", b"0o17", b"9", b"\xff" * 12):
        with pytest.raises(AnswerError, match="header"):
            read_header(header(size))
    with pytest.raises(AnswerError, match="header"):
        read_header(header()[:-1] + b"x")


def test_hostile_archives_are_refused() -> None:
    cases = {
        "no gzip": b"hello",
        "nothing": b"",
        "garbage": gzip.compress(b"x" * 2000),
        "half": pack({"README.md": bytes(range(256)) * 400})[:200],
        "a huge size": gzip.compress(header(b"\x80" + b"\xff" * 11)),
        "a huge extension": gzip.compress(header(b"77777777777", b"x")),
        "a manifest that is none": pack({"package.json": b"["}),
        "a manifest nested deeply": pack({"package.json": b"[" * 100_000}),
    }
    for name, data in cases.items():
        if name == "nothing":
            assert inspect(data).files == 0
            continue
        with pytest.raises(AnswerError):
            inspect(data)


def test_a_bomb_costs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "UNPACKED_BYTES_MAX", 32 << 20)
    size = 64 << 20
    bomb = gzip.compress(header(b"%011o" % size) + b"\0" * size, compresslevel=1)
    tracemalloc.start()
    with pytest.raises(AnswerError, match="larger"):
        inspect(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "ENTRIES_MAX", 100)
    with pytest.raises(AnswerError, match="entries"):
        inspect(gzip.compress(header(b"0") * 101))


@given(st.binary(max_size=1500), st.integers(0, 511), st.integers(0, 255))
@settings(max_examples=100)
def test_any_bytes_are_read_or_refused(data: bytes, place: int, byte: int) -> None:
    damaged = bytearray(gzip.decompress(pack({"README.md": data})))
    damaged[place] = byte
    for hostile in (data, gzip.compress(data), gzip.compress(bytes(damaged))):
        try:
            inspect(hostile)
        except AnswerError:
            continue


def test_integrity() -> None:
    data = b"tarball"
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    check_integrity(data, f"sha512-{digest}")
    check_integrity(data, f"sha1-x sha512-{digest}?option")
    check_integrity(data, "", sha1.upper())
    check_integrity(data, "md5-x", sha1)
    for integrity, shasum in [
        (f"sha512-{digest[:-4]}AAA=", sha1),
        ("sha512-é", sha1),
        ("sha512-a", sha1),
        ("", "0" * 40),
        ("", ""),
    ]:
        with pytest.raises(AnswerError):
            check_integrity(data, integrity, shasum)
