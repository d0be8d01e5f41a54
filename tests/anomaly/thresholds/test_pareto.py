import math

import numpy as np
import pytest

from tidegate.anomaly.thresholds.pareto import fit_pareto, log_likelihood, upper_tail


def drawn(gamma: float, sigma: float, count: int) -> np.ndarray:
    uniform = (np.arange(count) + 0.5) / count
    return np.array([upper_tail(gamma, sigma, ratio) for ratio in uniform])


def best_on_a_grid(excesses: np.ndarray) -> float:
    """Try shapes and scales one by one."""
    return max(
        log_likelihood(excesses, gamma, sigma)
        for gamma in np.linspace(-0.6, 1.2, 91)
        for sigma in np.geomspace(excesses.mean() / 5, excesses.mean() * 3, 120)
    )


@pytest.mark.parametrize("gamma", [-0.4, -0.1, 0.0, 0.2, 0.8])
@pytest.mark.parametrize("sigma", [0.01, 3.0])
def test_shape_and_scale_are_found_again(gamma: float, sigma: float) -> None:
    found = fit_pareto(drawn(gamma, sigma, 2000))
    assert found[0] == pytest.approx(gamma, abs=0.02)
    assert found[1] == pytest.approx(sigma, rel=0.03)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_on_a_grid_is_likelier(seed: int) -> None:
    generator = np.random.default_rng(seed)
    excesses = generator.gamma(0.8, size=25) if seed % 2 else generator.pareto(3, size=40)
    assert log_likelihood(excesses, *fit_pareto(excesses)) >= best_on_a_grid(excesses) - 1e-6


def test_the_tail() -> None:
    assert upper_tail(0.0, 2.0, 0.1) == pytest.approx(2 * math.log(10))
    assert upper_tail(0.5, 2.0, 0.01) == pytest.approx(2 / 0.5 * (0.01**-0.5 - 1))
    assert upper_tail(1e-8, 2.0, 0.1) == pytest.approx(upper_tail(0.0, 2.0, 0.1))


def test_beyond_the_end_nothing_is_likely() -> None:
    assert log_likelihood(np.array([3.0]), -0.5, 1.0) == -math.inf
    assert log_likelihood(np.array([3.0]), 0.5, 0.0) == -math.inf
