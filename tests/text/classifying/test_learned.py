"""A model file that is not what it says is refused, and costs no memory."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tidegate.errors import ModelFileError
from tidegate.estimator.modelfile import ModelFile, read_model
from tidegate.specs import Recurrent, Tokens, Training, Wide
from tidegate.text import TextClassifier

VAST = 10**9


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    path = tmp_path_factory.mktemp("model") / "m"
    training = Training(max_steps=2, batch_size=4, validation=0.25)
    TextClassifier(
        tokens=Tokens(unit="subwords", max_vocabulary=30),
        network=Recurrent(hidden_size=4),
        wide=Wide(characters=None),
        training=training,
        device="cpu",
    ).fit(["win a prize", "call me now", "win it now", "call home"] * 4, ["spam", "ham"] * 8).save(path)
    return read_model(path)


def changed(file: ModelFile, *, learned: Any = None, arrays: Any = None, **params: Any) -> ModelFile:
    info = dataclasses.replace(
        file.info, learned={**file.info.learned, **(learned or {})}, params={**file.info.params, **params}
    )
    return dataclasses.replace(file, info=info, arrays={**file.arrays, **(arrays or {})})


def network_of(file: ModelFile, **fields: Any) -> dict[str, Any]:
    return {"network": {**file.info.params["network"], **fields}}


def test_it_can_be_read_as_it_is(file: ModelFile) -> None:
    model = TextClassifier.from_model_file(file)
    assert model.classes_.tolist() == ["ham", "spam"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": {"hidden_size": 10**6}}, "expected '0.pooled.network."),
        ({"network": {"num_layers": VAST}}, "1000000000 layers are described, the file has "),
        ({"members": VAST}, "members must be at most 1,000; got a number of 10 digits"),
        ({"members": 3}, "the network described has a tensor '1.embedding.weight', which is absent"),
        ({"learned": {"embedding_size": VAST}}, "expected '0.embedding.weight' of shape ["),
        ({"learned": {"labels": ["spam", "ham"]}}, "expected 2 labels sorted, each once"),
        ({"learned": {"labels": ["a", "b", "c"]}}, "expected '0.pooled.output.weight' of shape [3, 4], got [2, 4]"),
        ({"learned": {"share": 2}}, "expected a share from 0 to 1; got 2"),
        ({"learned": {"temperature": 0}}, "expected a temperature from "),
        ({"learned": {"temperature": "hot"}}, "could not convert string to float: 'hot'"),
        ({"arrays": {"wide.bias": np.zeros(3, np.float32)}}, "expected ratios and weights ["),
        (
            {"arrays": {"wide.bias": np.zeros(1)}},
            "expected n-grams as int64 or uint32, their ratios and weights as float32",
        ),
        ({"arrays": {"frequencies": np.array([2.0, 0.0])}}, "expected the share of each of 2 labels; got float64 [2]"),
        ({"arrays": {"vocabulary.ends": np.array([99])}}, "expected the ends of strings in order, up to "),
        ({"arrays": {"subwords": np.array([1], np.uint8)}}, "expected subwords as the library tokenizers writes them"),
        ({"learned": {"columns": {"text": 3}}}, "text must be text; got 3"),
    ],
)
def test_what_does_not_fit_is_refused(file: ModelFile, changes: dict[str, Any], words: str) -> None:
    if "network" in changes:
        changes = network_of(file, **changes["network"])
    with pytest.raises(ModelFileError, match=re.escape(words)):
        TextClassifier.from_model_file(changed(file, **changes))


def test_keys_out_of_order_are_refused(file: ModelFile) -> None:
    arrays = {"wide.keys": file.arrays["wide.keys"][::-1].copy()}
    with pytest.raises(ModelFileError, match=r"expected the keys of n-grams ascending, each once$"):
        TextClassifier.from_model_file(changed(file, arrays=arrays))


def test_without_its_arrays(file: ModelFile) -> None:
    for name in ("wide.weights", "vocabulary.text", "frequencies", "subwords"):
        arrays = {key: array for key, array in file.arrays.items() if key != name}
        with pytest.raises(ModelFileError, match=re.escape(name)):
            TextClassifier.from_model_file(dataclasses.replace(file, arrays=arrays))


def test_it_holds_no_text(file: ModelFile, tmp_path: Path) -> None:
    content = b"".join(array.tobytes() for array in file.arrays.values())
    assert b"win a prize" not in content
    assert "win a prize" not in repr(file.info)
