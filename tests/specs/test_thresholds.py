import pytest

from tidegate.errors import SpecError
from tidegate.specs import Contamination, Dynamic, Quantile, Spot
from tidegate.specs.base import from_tagged, to_dict
from tidegate.specs.thresholds import THRESHOLDS, resolve_threshold


def test_short_forms() -> None:
    assert resolve_threshold(0.05) == Contamination(0.05)
    assert resolve_threshold("spot") == Spot()
    assert resolve_threshold("dynamic") == Dynamic()
    assert resolve_threshold(Quantile(0.9)) == Quantile(0.9)
    for spec in (Contamination(0.2), Quantile(0.9, 2.0), Spot(depth=3), Dynamic(low=3.0)):
        assert from_tagged(to_dict(spec), THRESHOLDS.values()) == spec


@pytest.mark.parametrize("threshold", ["otsu", None, True, (0.1,)])
def test_other_thresholds(threshold: object) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_threshold(threshold)
    assert str(caught.value) == (
        "threshold must be a rate of contamination, one of 'contamination', 'quantile', 'spot', 'dynamic', or a "
        f"Contamination(…), Quantile(…), Spot(…) or Dynamic(…); got {threshold!r}"
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Contamination(0.0), "the rate of contamination must be above 0 and at most 0.5; got 0.0"),
        (lambda: resolve_threshold(0.6), "the rate of contamination must be above 0 and at most 0.5; got 0.6"),
        (lambda: resolve_threshold(float("nan")), "rate must be a finite number; got nan"),
        (lambda: Quantile(1.1), "q must lie between 0 and 1; got 1.1"),
        (lambda: Quantile(factor=0), "factor must be more than 0; got 0"),
        (lambda: Spot(risk=0), "risk must be more than 0; got 0"),
        (lambda: Spot(level=1.0), "level must be a probability, 0 ≤ level < 1; got 1.0"),
        (
            lambda: Spot(risk=0.05),
            "risk must be less than 1 − level, the share of extreme scores; got risk=0.05, level=0.98",
        ),
        (lambda: Spot(depth=-1), "depth must be a whole number of at least 0; got -1"),
        (lambda: Spot(peaks=3), "peaks must be a whole number of at least 10; got 3"),
        (lambda: Dynamic(smoothing=0), "smoothing must be a whole number of at least 1; got 0"),
        (lambda: Dynamic(step=0), "step must be more than 0; got 0"),
        (lambda: Dynamic(low=4, high=3), "low must not exceed high; got low=4, high=3"),
        (lambda: Dynamic(prune=1.0), "prune must be a probability, 0 ≤ prune < 1; got 1.0"),
    ],
)
def test_what_cannot_be(build: object, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        build()  # type: ignore[operator]
    assert str(caught.value) == message
