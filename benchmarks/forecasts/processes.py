"""Programs of this package in processes of their own, so that each has its own memory and threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ask"]


def ask(script: str, request: Mapping[str, Any], *, threads: int, python: str = sys.executable) -> dict[str, Any]:
    """Run a script of this folder; it takes a line of JSON as its argument and prints one as its last line.

    Parameters
    ----------
    script
        Its name.
    request
        What it is asked for.
    threads
        Of the libraries beneath it.
    python
        The interpreter.

    Returns
    -------
    dict
        What it has printed, and ``wall``, the seconds of the whole process.

    Raises
    ------
    RuntimeError
        If it fails; with the end of what it said.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [python, str(Path(__file__).with_name(script)), json.dumps({**request, "threads": threads})]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{script} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**answer, "wall": seconds}
