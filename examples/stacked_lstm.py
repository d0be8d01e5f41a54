"""Two stacked LSTMs with dropout inside the recurrence, stopped early: the next hour's electricity load."""

import numpy as np
import torch

import tidegate as tg

CONTEXT, TEST = 24, 7 * 24  # hours


def main(seed: int = 0) -> dict[str, float]:
    load = tg.datasets.hourly_load(days=42)["y"].to_numpy(dtype=np.float64)
    train = load[:-TEST]
    mean, std = train.mean(), train.std()  # of the training hours alone: the test must not leak into the scale
    X, y = tg.sliding_windows((load - mean) / std, CONTEXT)

    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        tg.nn.LSTM(1, 64, batch_first=True, return_state=False, input_dropout=0.2),
        tg.nn.LSTM(64, 32, batch_first=True, return_sequences=False, return_state=False, recurrent_dropout=0.1),
        torch.nn.Linear(32, 1),
    )
    history = tg.train(
        net,
        (X[:-TEST], y[:-TEST]),
        epochs=100,
        batch_size=32,
        validation_split=0.2,
        metrics=["mae"],
        callbacks=[
            tg.EarlyStopping(patience=10, restore_best_weights=True),
            tg.ReduceLROnPlateau(factor=0.2, patience=5),
        ],
        training=tg.Training(learning_rate=0.005),
        seed=seed,
    )
    with torch.no_grad():
        forecast = net(torch.tensor(X[-TEST:], dtype=torch.float32)).numpy() * std + mean
    actual = load[-TEST:, None]
    return {
        "epochs": history.epochs,
        "lstm": float(tg.metrics.mae(actual, forecast)),
        "naive": float(tg.metrics.mae(actual, load[-TEST - 1 : -1, None])),  # an hour ago
        "seasonal_naive": float(tg.metrics.mae(actual, load[-TEST - 24 : -24, None])),  # a day ago
    }


if __name__ == "__main__":
    figures = main()
    print(f"stopped after {figures['epochs']} epochs; megawatts, the last {TEST} hours:")
    for name in ("lstm", "naive", "seasonal_naive"):
        print(f"MAE {name:>14}  {figures[name]:6.2f}")
