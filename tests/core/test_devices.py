"""What ``device=`` means."""

from __future__ import annotations

import re

import pytest
import torch

from tidegate._core.devices import resolve_device
from tidegate.errors import SpecError


def machine(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda"), (1, True, "cuda")]
)
def test_auto_takes_the_best_there_is(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, expected: str) -> None:
    machine(monkeypatch, cuda=cuda, mps=mps)
    assert resolve_device("auto") == torch.device(expected)


def test_names_and_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=2, mps=True)
    for name in ("cpu", "cuda", "cuda:1", "mps"):
        assert resolve_device(name) == torch.device(name)
        assert resolve_device(torch.device(name)) == torch.device(name)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cpu0"])
def test_what_is_no_device(name: str) -> None:
    message = f"device must be 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps', got {name!r}"
    with pytest.raises(SpecError, match=f"^{re.escape(message)}$"):
        resolve_device(name)


@pytest.mark.parametrize(
    ("name", "cuda"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2), ("mps", 1), ("meta", 1), ("xpu", 1)]
)
def test_what_this_machine_has_not(monkeypatch: pytest.MonkeyPatch, name: str, cuda: int) -> None:
    machine(monkeypatch, cuda=cuda)
    with pytest.raises(SpecError, match=f"^device '{name}' is not on this machine; use device='auto' or 'cpu'$"):
        resolve_device(name)
