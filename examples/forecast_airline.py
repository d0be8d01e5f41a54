"""Forecast a table of series with `Forecaster`: the classic airline passengers, a year ahead."""

import tempfile
from pathlib import Path

import numpy as np

import tidegate as tg


def main(seed: int = 0) -> dict[str, float]:
    frame = tg.datasets.airline_passengers()  # unique_id, ds, y
    model = tg.Forecaster(
        horizon=12,
        network=tg.Recurrent(hidden_size=32),
        training=tg.Training(max_steps=300, batch_size=64, learning_rate=5e-3, schedule="one_cycle"),
        scaling=tg.Scaling(transform="log", method="difference", output="season"),  # the swing grows with the level
        seed=seed,
    )
    backtest = model.backtest(frame, windows=3)  # the last three years, by a model that has not seen them
    forecast = model.fit(frame).predict(frame)  # unique_id, ds, y_hat: the year that follows

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "airline.safetensors"
        model.save(path)
        again = tg.Forecaster.load(path).predict(frame)
    return {
        **{name: scores["MASE"] for name, scores in backtest.scores.items()},
        "passengers in 1961": float(forecast["y_hat"].sum()),
        "changed by save and load": float(np.abs(again["y_hat"] - forecast["y_hat"]).max()),
    }


if __name__ == "__main__":
    figures = main()
    for name in ("tidegate", "naive", "seasonal_naive", "drift", "naive2"):
        print(f"MASE {name:>14}  {figures[name]:.3f}")
    print(f"forecast for 1961: {figures['passengers in 1961']:.0f} thousand passengers")
