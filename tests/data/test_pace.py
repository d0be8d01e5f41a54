import numpy as np
import pytest

from tidegate.data import SeriesTable
from tidegate.data.pace import pace, require_pace
from tidegate.errors import TimeStampError
from tidegate.specs import Columns


def table(every: int, rows: int = 40) -> SeriesTable:
    values = np.full((2 * rows, 1), np.nan)
    values[:rows:every], values[rows::every] = 1.0, 2.0
    return SeriesTable(
        ids=np.array(["a", "b"]),
        offsets=np.array([0, rows, 2 * rows]),
        times=np.tile(np.arange(rows), 2),
        values=values,
        columns=Columns(targets=("y",), frequency=1),
    )


@pytest.mark.parametrize("every", [1, 3])
def test_the_usual_distance_of_observed_rows(every: int) -> None:
    assert pace(table(every)) == every
    require_pace(table(every), float(every))


def test_a_table_at_another_pace_is_refused() -> None:
    with pytest.raises(TimeStampError) as caught:
        require_pace(table(3), 1.0)
    assert str(caught.value) == (
        "the model was trained on values every step of 1; this table has one every 3 steps: resample it"
    )
    require_pace(table(1), 3.0)  # denser is no harm
    require_pace(table(3, rows=12), 1.0)  # six distances tell little
    assert pace(table(50)) == 1.0  # one row a series
