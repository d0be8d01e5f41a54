"""Intervals and covariates: tomorrow's load from weather and calendar, and how often it lies within."""

import tidegate as tg

LEVELS = (80, 95)


def main(seed: int = 0) -> dict[str, float]:
    load = tg.datasets.hourly_load(days=100, series=4, seed=1)  # unique_id, ds, y, temperature, holiday
    model = tg.Forecaster(
        horizon=24,
        context=3 * 24,
        season=24,
        strategy=tg.Direct(segment=24),  # three days are three steps of the recurrence
        network=tg.Recurrent(hidden_size=32),
        columns=tg.Columns(
            static=("unique_id",),  # the network may know its regions one by one
            known=("temperature", "holiday"),  # for the hours to forecast too: here the weather as it came
            calendar=("hour", "weekday"),
        ),
        # The last ten days measure how wide intervals must be; then the network is trained once more, on all rows.
        uncertainty=tg.Uncertainty(head="quantiles", calibration=0.1, refit=True),
        training=tg.Training(max_steps=200, batch_size=64, learning_rate=5e-3, schedule="one_cycle"),
        seed=seed,
    )
    backtest = model.backtest(load, windows=14, levels=LEVELS)  # two weeks, by a model that has not seen them

    today = load["ds"].max().normalize()  # its first hour; what follows has not come yet
    history, coming = load[load["ds"] < today], load[load["ds"] >= today]
    forecast = model.fit(history).predict(history, future=coming.drop(columns="y"), levels=LEVELS)
    return {
        **{name: scores["MASE"] for name, scores in backtest.scores.items()},
        **{f"coverage {level}": backtest.intervals["tidegate"][level]["coverage"] for level in LEVELS},
        **{f"width {level}": backtest.intervals["tidegate"][level]["width"] for level in LEVELS},
        "first hour": float(forecast["y_hat"][0]),
        "first hour, lower": float(forecast["y_hat_lo_80"][0]),
        "first hour, upper": float(forecast["y_hat_hi_80"][0]),
    }


if __name__ == "__main__":
    figures = main()
    for name in ("tidegate", "naive", "seasonal_naive", "drift", "naive2"):
        print(f"MASE {name:>14}  {figures[name]:.3f}")
    for level in LEVELS:
        covered, width = figures[f"coverage {level}"], figures[f"width {level}"]
        print(f"intervals of {level} %: {covered:.1f} % of the hours lay within, {width:.0f} MW wide")
    low, high = figures["first hour, lower"], figures["first hour, upper"]
    print(f"the first hour of region-0: {figures['first hour']:.0f} MW, {low:.0f} to {high:.0f} with 80 %")
