"""What an estimator's file promises."""

from __future__ import annotations

import io
import json
import pickletools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tidegate.estimator import Estimator, inspect_model
from tidegate.testing.answers import fresh, learned, same_answers
from tidegate.testing.trials import Trial
from tidegate.testing.verdicts import hold

__all__ = ["check_harmless_file", "check_save_load"]

_EXECUTING = {"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "BUILD", "OBJ", "NEWOBJ", "NEWOBJ_EX"}


def check_save_load(estimator: Estimator, trial: Trial) -> None:
    """Check that parameters, bits and answers survive saving and loading, and that it saves the same bytes twice."""
    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "model.safetensors", Path(folder) / "again.safetensors"
        model.save(path)
        hold(inspect_model(path).kind == model.kind, f"the file does not say that it holds a {model.kind!r}")
        back = type(model).load(path)
        hold(learned(back) == learned(model), "what was learned is not the same, to the bit, after saving and loading")
        hold(same_answers(trial.ask(back), trial.ask(model)), "it answers otherwise after saving and loading")
        params = {**model.get_params(), "device": "cpu"}  # where a loaded model computes unless told
        hold({**back.get_params(), "device": "cpu"} == params, "the parameters changed by saving and loading")
        model.save(again)
        hold(again.read_bytes() == path.read_bytes(), "saved twice, the files differ")


def check_harmless_file(estimator: Estimator, trial: Trial) -> None:
    """Check that the file is safetensors with a JSON header and without pickles: reading it can run no code."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    model: Any = fresh(estimator).fit(*trial.given("fit"))  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.safetensors")
        written = sorted(Path(folder).iterdir())
        hold(len(written) == 1, f"save must write one file; it wrote {[file.name for file in written]}")
        content = written[0].read_bytes()
    try:
        arrays: Mapping[str, np.ndarray[Any, Any]] = load(content)
    except SafetensorError as error:
        raise AssertionError(f"the file is not safetensors: {error}") from error
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    hold(isinstance(header, dict), "the file's header must be a JSON object")
    pickled = sorted(name for name, array in arrays.items() if _is_pickle(array.tobytes()))
    hold(not pickled, f"the tensors {pickled} hold pickles; a pickle can run code when it is read")


def _is_pickle(content: bytes) -> bool:
    """Tell whether ``content`` reads as a pickle that says its protocol or would call something."""
    found = set()
    try:
        for opcode, _, _ in pickletools.genops(io.BytesIO(content)):
            found.add(opcode.name)
    except Exception:  # whatever pickletools cannot read is no pickle
        return False
    return "PROTO" in found or bool(found & _EXECUTING)
