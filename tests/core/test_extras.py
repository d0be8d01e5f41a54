"""Optional dependencies and their remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tidegate._core.extras import require
from tidegate.errors import MissingExtraError


def test_what_is_there_is_imported() -> None:
    import json.decoder

    assert require("json.decoder", extra="none", purpose="reading") is json.decoder


@pytest.mark.parametrize("module", ["nobody_has_this", "nobody_has_this.part"])
def test_what_is_absent_names_its_remedy(module: str) -> None:
    with pytest.raises(MissingExtraError) as caught:
        require(module, extra="polars", purpose="reading polars frames")
    assert str(caught.value) == (
        f"reading polars frames needs {module!r}, which is not installed: pip install 'tidegate[polars]'"
    )
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_what_is_there_but_lacks_something_itself_is_not_called_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import nobody_has_this")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nobody_has_this") as caught:
        require("half_installed", extra="x", purpose="anything")
    assert not isinstance(caught.value, MissingExtraError)
    assert "half_installed" not in sys.modules
