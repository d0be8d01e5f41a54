from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from tidegate.data import LabelledTexts, read_text_csv
from tidegate.errors import ColumnError, DataError, FileFormatError, MissingFileError, ShapeError
from tidegate.specs import TextColumns


def written(folder: Path, content: Sequence[str] | bytes, name: str = "messages.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else "".join(f"{line}\n" for line in content).encode())
    return path


def test_texts_labels_and_their_lines(tmp_path: Path) -> None:
    lines = ["id,kind,message", "1, ham ,On my way", "", '2,spam,"two\nlines, ""quoted"""', "3,ham,ok"]
    content = "".join(f"{line}\n" for line in lines).encode()
    columns = TextColumns(text="message", label="kind")
    for path in (written(tmp_path, content), written(tmp_path, gzip.compress(content), "messages.csv.gz")):
        found = read_text_csv(path, columns)
        assert found.texts == ["On my way", 'two\nlines, "quoted"', "ok"]
        assert found.labels == ["ham", "spam", "ham"]
        assert found.lines == (2, 5, 6)
        assert found.columns == columns
        assert found.take([2, 0]).texts == ["ok", "On my way"]
        assert found.take([2, 0]).labels == ["ham", "ham"]
        assert found.take([2, 0]).lines == (6, 2)


def test_several_labels_stand_in_one_field(tmp_path: Path) -> None:
    path = written(tmp_path, ["label,text", "a; b,one", ",two", "b;,three"])
    assert read_text_csv(path, TextColumns(separator=";")).labels == [["a", "b"], [], ["b"]]


def test_without_labels(tmp_path: Path) -> None:
    path = written(tmp_path, ["text", "one"])
    assert read_text_csv(path, TextColumns(label=None)).labels is None


def test_a_megabyte_in_a_field(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    found = read_text_csv(written(tmp_path, ["label,text", "a," + "x" * 1_000_000]))
    assert len(found.texts[0]) == 1_000_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (
            ["label,text", "ham,ok", "ham,"],
            DataError,
            "column 'text', line 3: the text is empty, there is nothing to read; leave such rows out",
        ),
        (
            ["label,text", "ham,ok", ",no"],
            DataError,
            "column 'label', line 3: the label is missing; fill it in or drop the row",
        ),
        (["label,text"], DataError, "{path} has a header but no rows; give at least one text"),
        (["label,body", "ham,ok"], ColumnError, "{path} has no column 'text'; it has 'label', 'body'"),
        (["kind,text", "ham,ok"], ColumnError, "{path} has no column 'label'; it has 'kind', 'text'"),
        (["text,text,label", "a,b,c"], ColumnError, "{path} has several columns 'text'; give each a name of its own"),
        ([], FileFormatError, "{path} is empty; expected a line of column names and at least one row"),
        (
            b"label,text\nham,caf\xe9\n",
            FileFormatError,
            "{path}, line 2: byte 0xe9 at 7: expected UTF-8 text; save the file as CSV with UTF-8 encoding",
        ),
        (
            b"label,text\nham,a\0b\n",
            FileFormatError,
            "{path}, line 2: a NUL byte; expected CSV text, this is a binary file",
        ),
        (
            ["label,text", "ham,one, two"],
            FileFormatError,
            "{path}, line 2: expected 2 fields (label, text), got 3; a comma inside a field needs quotes around it",
        ),
        (
            ["label,text", 'ham,"open'],
            FileFormatError,
            "{path}, line 2: unexpected end of data; close every quote, and double those inside a field",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Sequence[str] | bytes, kind: type, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(kind) as raised:
        read_text_csv(path)
    assert str(raised.value) == message.format(path=repr(str(path)))


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_text_csv(tmp_path / "absent.csv")


def test_labels_of_another_number_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"^expected one label a text: 1; got 2$"):
        LabelledTexts(texts=["one"], labels=["a", "b"], columns=TextColumns(), lines=(2,))
