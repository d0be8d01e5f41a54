from __future__ import annotations

from typing import Any

import pytest

from tidegate.errors import SpecError
from tidegate.specs import Embedding, TextColumns, Wide, from_dict, to_dict


@pytest.mark.parametrize(
    "spec",
    [Embedding(size=3, path="glove.txt", frozen=True), Wide(characters=None, share=0.25), TextColumns(label=None)],
)
def test_they_survive_json(spec: Any) -> None:
    assert from_dict(type(spec), to_dict(spec)) == spec
    assert from_dict(Wide, {"characters": [2, 4]}) == Wide(characters=(2, 4))


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Embedding, {"path": 3}, "path must be that of a file of embeddings as text, or None; got 3"),
        (
            Embedding,
            {"frozen": True},
            "frozen leaves embeddings as they came from a file; give its path, or leave frozen out",
        ),
        (Embedding, {"dropout": 1}, "dropout must be a probability, 0 ≤ dropout < 1; got 1"),
        (Wide, {"words": 5}, "words must be at most 4; got 5"),
        (
            Wide,
            {"words": 0, "characters": None},
            "a wide part reads words, characters or both; got words=0 and characters=None",
        ),
        (Wide, {"characters": (3, 2)}, "characters must ascend, up to 8; got (3, 2)"),
        (Wide, {"characters": (2, 9)}, "characters must ascend, up to 8; got (2, 9)"),
        (Wide, {"characters": 3}, "characters must be the shortest and the longest length, as (2, 5); got 3"),
        (Wide, {"penalty": 0}, "penalty must be more than 0; got 0"),
        (Wide, {"share": 1.5}, "share must lie in 0 … 1; got 1.5"),
        (TextColumns, {"text": ""}, "text must be text; got ''"),
        (TextColumns, {"text": "a", "label": "a"}, "text and label must be two columns; got 'a' for both"),
        (
            TextColumns,
            {"label": None, "separator": ";"},
            "separator parts labels, but there is no column of labels",
        ),
    ],
)
def test_what_cannot_be_is_refused(kind: type, fields: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as raised:
        kind(**fields)
    assert str(raised.value) == message
