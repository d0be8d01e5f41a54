"""Streaming: hours of load arrive one by one, each is answered by a forecast, and nobody trains anew."""

import tempfile
import time
from pathlib import Path

import numpy as np

import tidegate as tg

HORIZON, DAYS = 24, 7


def main(seed: int = 0) -> dict[str, float]:
    load = tg.datasets.hourly_load(days=60, series=2, seed=1)[["unique_id", "ds", "y"]]
    start = load["ds"].max().normalize() - np.timedelta64(DAYS - 1, "D")
    history, arriving = load[load["ds"] < start], load[load["ds"] >= start]

    model = tg.Forecaster(
        horizon=HORIZON,
        context=7 * 24,
        training=tg.Training(max_steps=150, batch_size=64, learning_rate=5e-3, schedule="one_cycle"),
        seed=seed,
    ).fit(history)

    hours = {name: rows["y"].to_numpy() for name, rows in arriving.groupby("unique_id")}
    errors: list[np.ndarray] = []
    naive: list[np.ndarray] = []
    stream, seconds = model.stream(history), 0.0
    for hour in range(DAYS * 24 - HORIZON):
        for name, values in hours.items():
            began = time.perf_counter()
            stream.update(values[hour], name)
            forecast = stream.forecast(name)[:, 0]  # [horizon, target], in megawatts
            seconds += time.perf_counter() - began
            truth = values[hour + 1 : hour + 1 + HORIZON]
            errors.append(np.abs(forecast - truth))
            naive.append(np.abs(values[hour] - truth))

    # The same rows as data frames: an update, and a forecast from what has come so far.
    so_far = arriving[arriving["ds"] < arriving["ds"].max() - np.timedelta64(HORIZON - 1, "h")]
    by_frame = model.update(history).update(so_far).predict()
    last = by_frame[by_frame["unique_id"] == name]["y_hat"].to_numpy()

    with tempfile.TemporaryDirectory() as folder:  # the file is left as it is by all that comes
        path = Path(folder) / "load.safetensors"
        model.save(path)
        model.fine_tune(arriving[arriving["ds"] > so_far["ds"].max()], max_steps=20, learning_rate=1e-4)
        saved = tg.Forecaster.load(path).predict(history)["y_hat"]
    return {
        "updates": float(len(errors)),
        "tidegate": float(np.mean(errors)),
        "naive": float(np.mean(naive)),
        "milliseconds": 1000 * seconds / len(errors),
        "stream against predict": float(np.abs(forecast - last).max()),
        "moved by fine-tuning": float(np.abs(model.predict(history)["y_hat"] - saved).max()),
    }


if __name__ == "__main__":
    figures = main()
    print(f"{figures['updates']:.0f} hours, each with a forecast of {HORIZON} more, {figures['milliseconds']:.1f} ms")
    print(f"MAE  tidegate {figures['tidegate']:6.1f} MW")
    print(f"MAE  naive    {figures['naive']:6.1f} MW")
    print(f"twenty small steps of training moved a forecast by up to {figures['moved by fine-tuning']:.1f} MW")
