"""Loads model files that are named to it, one a line, within bounds of memory; run by `fuzzing.loader`.

    .venv/bin/python benchmarks/fuzzing/worker.py MEBIBYTES

For each file it writes a line of JSON: ``outcome`` (``refused``, ``answered``, ``unanswered`` or ``failed``), ``said``
(the error) and ``where`` (its last line in Tidegate).
"""

from __future__ import annotations

import json
import resource
import sys
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

import tidegate
from fuzzing.samples import ask
from tidegate.errors import TidegateError
from tidegate.estimator import inspect_model, load
from tidegate.serve.kinds import load_served

__all__ = ["attempt"]

_OUT_OF_MEMORY = ("can't allocate memory", "MemoryError", "bad_alloc", "Unable to allocate")


def attempt(path: str) -> dict[str, str]:
    """Inspect, load, serve and ask what a file holds."""
    stage = "refused"
    try:
        inspect_model(path)
        model = load(path)
        stage = "unanswered"
        ask(model)
        load_served(path)
    except TidegateError as error:
        said = f"{type(error).__name__}: {error}"
        if any(words in said for words in _OUT_OF_MEMORY):
            return {"outcome": "failed", "said": said[:500], "where": "memory"}
        return {"outcome": stage, "said": said[:300], "where": ""}
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "tidegate" in frame.filename]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "?"
        return {"outcome": "failed", "said": f"{type(error).__name__}: {error}"[:500], "where": where}
    return {"outcome": "answered", "said": "", "where": ""}


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    folder = Path(sys.argv[2])
    for path in sorted(folder.glob("*.safetensors")):  # what is loaded late is loaded before memory is bounded
        attempt(str(path))
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[0])
    bound = pages * resource.getpagesize() + int(sys.argv[1]) * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    print(json.dumps({"outcome": "ready", "said": tidegate.__version__, "where": ""}), flush=True)
    for line in sys.stdin:
        print(json.dumps(attempt(line.rstrip("\n"))), flush=True)


if __name__ == "__main__":
    main()
