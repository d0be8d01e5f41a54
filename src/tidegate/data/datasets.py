"""Data to try things on: one classic series, and seeded generators.

Every function gives a `pandas.DataFrame` that the estimators read without further options. The generators give the
same numbers for the same seed on every machine, as far as its floating-point functions agree.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from tidegate._core.seeds import derive_seed
from tidegate.errors import SpecError
from tidegate.specs import checks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["airline_passengers", "hourly_load", "sensor_faults", "sine_wave"]

FAULTS = ("spike", "drift", "stuck", "noise")
_HOLIDAYS = ("01-01", "05-01", "10-03", "12-25", "12-26")


def airline_passengers() -> pd.DataFrame:
    """Monthly totals of international airline passengers, January 1949 to December 1960.

    Box & Jenkins (1970), "Time Series Analysis: Forecasting and Control", series G: a trend, and a season of 12
    months that grows with the level.

    Returns
    -------
    pandas.DataFrame
        144 rows: ``unique_id`` (``"airline"``), ``ds`` (the first of each month), ``y`` (thousands of passengers).

    Examples
    --------
    >>> int(airline_passengers().y.sum())
    40363
    """
    import pandas as pd

    with resources.files("tidegate.data").joinpath("bundled/airline_passengers.csv").open("rb") as file:
        return pd.read_csv(file, parse_dates=["ds"])


def hourly_load(*, days: int = 120, series: int = 1, seed: int = 0, start: str = "2024-01-01") -> pd.DataFrame:
    """Electricity load of made-up regions, hour by hour.

    Load has a daily and a weekly season, a slow trend, less demand on holidays, and heating and cooling that follow
    the temperature's distance from 17 °C; temperature has a yearly and a daily season and weather that lasts days.

    Parameters
    ----------
    days
        Length of each series.
    series
        How many regions, each with its own level and weather.
    seed
        Another seed, other data.
    start
        The first day, an ISO 8601 date.

    Returns
    -------
    pandas.DataFrame
        ``unique_id`` (``"region-0"``, …), ``ds`` (hours, naive), ``y`` (megawatts, above 0), ``temperature``
        (degrees Celsius), ``holiday`` (0 or 1).

    Raises
    ------
    SpecError
        If an option is out of its range.

    Examples
    --------
    >>> frame = hourly_load(days=2)
    >>> frame.shape
    (48, 5)
    """
    import pandas as pd

    checks.whole("days", days)
    checks.whole("series", series)
    checks.whole("seed", seed, least=0)
    hours = _hours(start, days)
    holiday = hours.strftime("%m-%d").isin(_HOLIDAYS)
    parts = []
    for region in range(series):
        random = np.random.default_rng(derive_seed(seed, "hourly_load", region))
        temperature = _temperature(hours, random)
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": f"region-{region}",
                    "ds": hours,
                    "y": _load(hours, temperature, holiday, random).round(1),
                    "temperature": temperature.round(1),
                    "holiday": holiday.astype(np.int64),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def sine_wave(
    *, points: int = 1000, period: float = 62.83185307179586, amplitude: float = 1.0, noise: float = 0.0, seed: int = 0
) -> pd.DataFrame:
    """Sample a sine wave, as in a first tutorial.

    Parameters
    ----------
    points
        Rows.
    period
        Steps of one oscillation; the default is 20π, so that ``y`` is ``sin(0.1·ds)``.
    amplitude
        Height above 0.
    noise
        Standard deviation of Gaussian noise, at least 0.
    seed
        Of the noise.

    Returns
    -------
    pandas.DataFrame
        ``ds`` (0, 1, …), ``y`` (``amplitude · sin(2π·ds / period)`` and noise).

    Raises
    ------
    SpecError
        If an option is out of its range.

    Examples
    --------
    >>> sine_wave(points=3).y.round(4).tolist()
    [0.0, 0.0998, 0.1987]
    """
    import pandas as pd

    checks.whole("points", points)
    checks.at_least("period", period, 0, exclusive=True)
    checks.number("amplitude", amplitude)
    checks.at_least("noise", noise, 0)
    checks.whole("seed", seed, least=0)
    steps = np.arange(points)
    random = np.random.default_rng(derive_seed(seed, "sine_wave"))
    wave = amplitude * np.sin(2 * np.pi * steps / period)
    return pd.DataFrame({"ds": steps, "y": wave + noise * random.standard_normal(points)})


def sensor_faults(*, points: int = 5000, faults: int = 8, seed: int = 0) -> pd.DataFrame:
    """Sample a vibrating machine's sensor, minute by minute, with labelled faults.

    The healthy signal is a working cycle of an hour with a harmonic, a slow warming, and noise. The first third is
    healthy; in the rest stand the faults, in turn: a ``spike`` (1 to 3 rows far off), a ``drift`` (a growing offset),
    ``stuck`` (one value repeated), ``noise`` (a burst of four times the noise or more).

    Parameters
    ----------
    points
        Rows, at least 300.
    faults
        How many, at least 0; each needs 80 rows in the last two thirds.
    seed
        Another seed, other data.

    Returns
    -------
    pandas.DataFrame
        ``ds`` (minutes, naive), ``y`` (millimetres per second), ``label`` (0 or 1), ``fault`` (``""`` or its kind).

    Raises
    ------
    SpecError
        If an option is out of its range, or there is no room for so many faults.

    Examples
    --------
    >>> frame = sensor_faults(points=1000, faults=4)
    >>> sorted(frame.fault.unique())
    ['', 'drift', 'noise', 'spike', 'stuck']
    """
    import pandas as pd

    checks.whole("points", points, least=300)
    checks.whole("faults", faults, least=0)
    checks.whole("seed", seed, least=0)
    healthy = points // 3
    room = (points - healthy) // max(faults, 1)
    if faults and room < 80:
        raise SpecError(f"{faults} faults need {80 * faults} rows after the healthy third; {points} points leave "
                        f"{points - healthy}; ask for fewer faults or more points")  # fmt: skip
    random = np.random.default_rng(derive_seed(seed, "sensor_faults"))
    steps = np.arange(points)
    level = 0.08
    wave = np.sin(2 * np.pi * steps / 60) + 0.3 * np.sin(4 * np.pi * steps / 60 + 0.7)
    y = 3 + wave + 0.5 * (1 - np.exp(-steps / 1500)) + level * random.standard_normal(points)
    fault = np.full(points, "", dtype=object)
    for index in range(faults):
        kind = FAULTS[index % len(FAULTS)]
        length = int(random.integers(1, 4)) if kind == "spike" else int(random.integers(20, 61))
        start = healthy + index * room + int(random.integers(0, room - length - 10))
        rows = slice(start, start + length)
        y[rows] = _faulty(kind, y[rows], level, random)
        fault[rows] = kind
    stamps = pd.date_range("2024-01-01", periods=points, freq="min")
    return pd.DataFrame({"ds": stamps, "y": y, "label": np.not_equal(fault, "").astype(np.int64), "fault": fault})


def _faulty(kind: str, healthy: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
    if kind == "stuck":
        return np.full(len(healthy), healthy[0])
    sign = float(random.choice((-1.0, 1.0)))
    if kind == "spike":
        offset = sign * random.uniform(3, 6, len(healthy))
    elif kind == "drift":
        offset = sign * np.linspace(0, random.uniform(1.5, 3), len(healthy))
    else:
        offset = level * random.uniform(4, 8) * random.standard_normal(len(healthy))
    faulty: np.ndarray = healthy + offset
    return faulty


def _hours(start: str, days: int) -> pd.DatetimeIndex:
    import pandas as pd

    try:
        return pd.date_range(start, periods=24 * days, freq="h")
    except ValueError as error:
        raise SpecError(f"start must be an ISO 8601 date such as '2024-01-01'; got {start!r}") from error


def _temperature(hours: pd.DatetimeIndex, random: np.random.Generator) -> np.ndarray:
    year = np.cos(2 * np.pi * (hours.day_of_year.to_numpy() - 20) / 365.25)  # coldest around the 20th of January
    day = np.cos(2 * np.pi * (hours.hour.to_numpy() - 15) / 24)  # warmest at three in the afternoon
    temperature: np.ndarray = 11 - 10 * year + 3.5 * day + 3 * _persistent(len(hours), 0.98, random)
    return temperature


def _load(
    hours: pd.DatetimeIndex, temperature: np.ndarray, holiday: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    hour, weekday = hours.hour.to_numpy(), hours.day_of_week.to_numpy()
    elapsed = np.arange(len(hours)) / (24 * 365.25)  # years
    base = random.uniform(600, 1400)
    # Two peaks a day, morning and evening; the night's trough between them.
    day = 0.16 * np.exp(-(((hour - 9) / 3.0) ** 2)) + 0.22 * np.exp(-(((hour - 19) / 3.0) ** 2)) - 0.12 * (hour < 6)
    rest = np.where(holiday | (weekday == 6), -0.14, np.where(weekday == 5, -0.08, 0.0))
    distance = temperature - 17
    weather = np.where(distance < 0, 0.010 * -distance, 0.014 * distance)
    noise = 0.012 * _persistent(len(hours), 0.7, random)
    load: np.ndarray = base * (1 + day + rest + weather + 0.03 * elapsed + noise)
    return load


def _persistent(points: int, memory: float, random: np.random.Generator) -> np.ndarray:
    """Give an autoregressive process of order 1 with mean 0 and variance 1."""
    shocks = random.standard_normal(points) * np.sqrt(1 - memory**2)
    values = np.empty(points)
    last = random.standard_normal()
    for step in range(points):
        last = memory * last + shocks[step]
        values[step] = last
    return values
