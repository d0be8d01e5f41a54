from __future__ import annotations

import importlib.resources
import re

import numpy as np
import pytest

from tidegate.report.confusion import LEVELS, MOST_CLASSES, confusion


def test_cells_are_shaded_by_their_share_of_the_row() -> None:
    html = confusion([[9, 1, 0], [0, 0, 0], [4, 0, 4]], ["a", "b", "c"])
    cells = re.findall(r'<td class="(\w+) w(\d)">(\d+)</td>', html)
    assert cells == [
        ("hit", "8", "9"), ("miss", "1", "1"), ("miss", "0", "0"),
        ("miss", "0", "0"), ("hit", "0", "0"), ("miss", "0", "0"),
        ("miss", "4", "4"), ("miss", "0", "0"), ("hit", "4", "4"),
    ]  # fmt: skip
    assert re.findall(r'<th scope="row">(\w)</th>', html) == ["a", "b", "c"]
    assert 'class="down"' not in html
    assert 'class="down"' in confusion([[1, 0], [0, 1]], ["a", "one of a long name"])


def test_of_many_classes_the_most_frequent_mistakes_are_listed() -> None:
    count = MOST_CLASSES + 1
    counts = 10 * np.eye(count, dtype=int)
    counts[3, 5], counts[7, 2] = 2, 6
    html = confusion(counts.tolist(), [f"<{place}>" for place in range(count)])
    rows = re.findall(r'<th scope="row">([^<]*)</th><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>', html)
    assert rows == [("&lt;7&gt; → &lt;2&gt;", "6", "37.5"), ("&lt;3&gt; → &lt;5&gt;", "2", "16.67")]
    assert "The most frequent of 8 mistakes" in html
    assert confusion(np.eye(count, dtype=int).tolist(), [str(place) for place in range(count)]) == (
        "<p>No example was taken for one of another class.</p>"
    )


def luminance(colour: tuple[float, ...]) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])  # light, dark
@pytest.mark.parametrize("tint", ["model", "baseline"])
def test_text_can_be_read_on_every_shade(scheme: int, tint: str) -> None:
    style = importlib.resources.files("tidegate.report").joinpath("assets", "report.css").read_text("utf-8")

    def colour(name: str) -> tuple[float, ...]:
        written = re.findall(rf"--{name}: #([0-9a-f]{{6}})", style)[scheme]
        return tuple(int(written[at : at + 2], 16) / 255 for at in (0, 2, 4))

    shares = [int(share) / 100 for share in re.findall(r"--share: (\d+)%; }", style)]
    assert len(shares) == LEVELS
    assert shares == sorted(shares)
    for share in shares:
        mixed = tuple(share * t + (1 - share) * p for t, p in zip(colour(tint), colour("paper"), strict=True))
        light, dark = sorted((luminance(mixed), luminance(colour("ink"))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4.5  # WCAG 2, level AA
