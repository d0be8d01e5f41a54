"""Truncated backpropagation: learn a long series in short pieces, with the state carried from piece to piece.

The water in a leaking tank follows from all that flowed in before: no piece of the record tells it alone.
"""

import numpy as np
import torch

import tidegate as tg

TIME, TRAIN, STEPS, LEAK = 20_000, 16_000, 20, 0.02


def tank(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the inflow [time, 1] and the level [time, 1] that it leaves, which forgets over 1 / LEAK = 50 steps."""
    inflow = np.random.default_rng(seed).random((TIME, 1))
    level = np.empty_like(inflow)
    present = inflow.mean()
    for step in range(TIME):
        present += LEAK * (inflow[step, 0] - present)
        level[step] = present
    return inflow, level


def held_out_error(stateful: bool, seed: int) -> float:
    """Train on the record's beginning; give the mean squared error on the rest, in units of the level's variance."""
    inflow, level = tank(seed)
    level = (level - level[:TRAIN].mean()) / level[:TRAIN].std()
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        tg.nn.LSTM(1, 16, batch_first=True, return_state=False, stateful=stateful),
        torch.nn.Linear(16, 1),
    )
    history = tg.train(
        net,
        tg.ContinuousBatches(inflow[:TRAIN], level[:TRAIN], batch_size=16, steps=STEPS),
        epochs=30,
        validation_data=tg.ContinuousBatches(inflow[TRAIN:], level[TRAIN:], batch_size=2, steps=STEPS),
        training=tg.Training(learning_rate=0.01, schedule="one_cycle"),
        seed=seed,
    )
    return history["val_loss"][-1]


def main(seed: int = 0) -> dict[str, float]:
    return {
        "carried on": held_out_error(stateful=True, seed=seed),
        "forgotten": held_out_error(stateful=False, seed=seed),
    }


if __name__ == "__main__":
    figures = main()
    for name, mse in figures.items():
        print(f"state {name:>10}: MSE {mse:.4f} (1 is guessing the mean)")
