"""Pictures over time: scales, thinning, joins and gaps, names that do not cover each other."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlane.app.curves import CLOSE_MS, FAR_MS, MOST_POINTS, Line, Moment, Picture, draw, plain_scale, thinned

BASE = Picture("k", "Title", "Question?", (), 0, 600_000, 4.0, 1.0, seconds=False)


def picture(*points: tuple[int, float], moments: tuple[Moment, ...] = ()) -> str:
    return str(draw(replace(BASE, lines=(Line("a", "general", points, "1"),), moments=moments)))


@given(st.floats(1e-6, 1e9))
def test_a_scale_reaches_the_value_in_at_most_four_steps(value: float) -> None:
    top, step = plain_scale(value)
    assert top >= value * (1 - 1e-6)
    assert 1 <= round(top / step) <= 4
    assert top / step == pytest.approx(round(top / step))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=3_000))
def test_thinning_keeps_the_peak_and_the_order(values: list[float]) -> None:
    points = tuple((n * 5_000, value) for n, value in enumerate(values))
    few = thinned(points)
    assert len(few) <= MOST_POINTS
    assert set(few) <= set(points)
    assert max(v for _, v in few) == max(values)
    assert [at for at, _ in few] == sorted(at for at, _ in few)


def test_close_points_are_joined_far_ones_dotted_and_lost_ones_not_at_all() -> None:
    close = picture(*((at, 1.0) for at in range(0, 600_001, 5_000)))
    assert close.count("<polyline") == 1
    assert "unknown" not in close
    calm = picture(*((at, 1.0) for at in range(0, 600_001, 60_000)))
    assert calm.count('class="line general sparse"') == 10
    assert "unknown" not in calm
    lost = picture((0, 1.0), (5_000, 1.0), (5_000 + FAR_MS + 1, 1.0), (600_000, 1.0))
    assert lost.count("sparse") == 0
    assert lost.count('class="unknown"') == 2
    assert CLOSE_MS < FAR_MS


def test_nothing_recorded_is_hatched_all_over() -> None:
    empty = picture()
    assert re.findall(r'class="unknown" x="([\d.]+)" y="0" width="([\d.]+)"', empty) == [("0.0", "1000.0")]


def test_names_of_moments_near_each_other_stand_in_different_rows() -> None:
    near = tuple(Moment(200_000 + 4_000 * n, f"moment {n}") for n in range(3))
    rows = re.findall(r'class="moment-name[^>]* y="(\d+)"', picture((0, 1.0), moments=near))
    assert len(set(rows)) == 3
    outside = picture((0, 1.0), moments=(Moment(700_000, "later"),))
    assert "later</text>" not in outside
    assert "moment-name" not in outside


def test_names_stay_text() -> None:
    assert "<script>" not in picture((0, 1.0), moments=(Moment(1, "<script>"),))
