"""What all tests share: where the public data lies, and one thread for torch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tidegate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tidegate")

ROOT = Path(__file__).resolve().parents[1]


def _shared(variable: str, folder: str) -> Path:
    given = os.environ.get(variable)
    return Path(given) if given else ROOT.parent / "shared" / folder


@pytest.fixture(scope="session")
def public_data() -> Path:
    """Give the folder of the public data sets; skip where it is absent."""
    folder = _shared("TIDEGATE_DATA", "data")
    if not folder.is_dir():
        pytest.skip(f"public data sets not found at {folder}; set TIDEGATE_DATA")
    return folder


@pytest.fixture(scope="session")
def golden_vectors() -> Path:
    """Give the folder of the golden vectors; skip where it is absent."""
    folder = _shared("TIDEGATE_GOLDEN", "golden")
    if not folder.is_dir():
        pytest.skip(f"golden vectors not found at {folder}; set TIDEGATE_GOLDEN")
    return folder
