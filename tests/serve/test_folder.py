"""Which files of a folder are models, and that no path leads out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.errors import MissingFileError
from tidegate.serve.folder import is_name, is_version, look


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"model")
    return path


def test_every_layout_is_found(tmp_path: Path) -> None:
    plain = put(tmp_path / "load.safetensors")
    own = put(tmp_path / "sales" / "model.safetensors")
    versions = [put(tmp_path / "heat" / version / "model.safetensors") for version in ("2", "10")]
    for other in (
        ".hidden.safetensors",
        "notes.txt",
        "heat/old/model.safetensors",
        "heat/0/model.safetensors",
        "x/y.safetensors",
    ):
        put(tmp_path / other)
    models, remarks = look(tmp_path)
    assert {key: found.path for key, found in models.items()} == {
        ("load", "1"): plain,
        ("sales", "1"): own,
        ("heat", "2"): versions[0],
        ("heat", "10"): versions[1],
    }
    assert remarks == []


def test_a_changed_file_has_another_mark(tmp_path: Path) -> None:
    file = put(tmp_path / "load.safetensors")
    before = look(tmp_path)[0]["load", "1"].mark
    assert look(tmp_path)[0]["load", "1"].mark == before
    replacement = put(tmp_path / "new")
    replacement.replace(file)
    assert look(tmp_path)[0]["load", "1"].mark != before


def test_links_lead_nowhere_outside(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "run"
    secret = put(outside / "model.safetensors")
    inside = put(root / "data" / "7" / "model.safetensors")
    (root / "a.safetensors").symlink_to(secret)
    (root / "b").symlink_to(outside)
    (root / "c").mkdir()
    (root / "c" / "model.safetensors").symlink_to(secret)
    (root / "d.safetensors").symlink_to(inside)
    (root / "e.safetensors").symlink_to(root / "nowhere")
    models, remarks = look(root)
    assert {key: found.path for key, found in models.items()} == {("data", "7"): inside, ("d", "1"): inside}
    link = "is not served: it is a symbolic link out of the folder"
    assert remarks == [
        f"'{root}/a.safetensors' {link}",
        f"'{root}/b' {link}",
        f"'{root}/c/model.safetensors' {link}",
        f"'{root}/e.safetensors' is not served: No such file or directory",
    ]


def test_a_folder_in_the_place_of_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "load.safetensors").mkdir()
    assert look(tmp_path) == ({}, [f"'{tmp_path}/load.safetensors' is not served: it is no regular file"])


def test_one_name_is_given_once(tmp_path: Path) -> None:
    put(tmp_path / "load" / "model.safetensors")
    put(tmp_path / "load.safetensors")
    models, remarks = look(tmp_path)
    assert list(models) == [("load", "1")]
    assert remarks == [
        f"'{tmp_path}/load.safetensors' is not served: '{tmp_path}/load/model.safetensors' has its name and version"
    ]


def test_names_that_are_none_are_remarked_on(tmp_path: Path) -> None:
    put(tmp_path / "my model.safetensors")
    assert look(tmp_path) == (
        {},
        [
            f"'{tmp_path}/my model.safetensors' is not served: a model's name has letters, digits, '.', '_' and '-', "
            "up to 100; rename it"
        ],
    )


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"^no folder of models at '.*nowhere'$"):
        look(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "a\\b", "a\0", "ä", "a" * 101, "-a", "a\n"])
def test_paths_are_no_names(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("version", ["", "0", "01", "-1", "1.5", "../1", "1" * 10, "１"])
def test_versions_are_whole_numbers(version: str) -> None:
    assert not is_version(version)
    assert is_version("12")
