"""A long run says how far it is."""

from isolator.simulate.entrants import maker
from isolator.simulate.run import play
from isolator.simulate.settings import Settings
from isolator.simulate.watch import EVERY_S, Watch


def test_a_line_every_ten_seconds_of_real_time_and_none_between() -> None:
    said: list[str] = []
    real = [100.0]
    watch = Watch(said.append, "calm seed 1", clock=lambda: real[0])
    for step in range(1, 31):
        real[0] += EVERY_S / 10
        watch(step * 600.0, 86_400.0)
    assert said == [
        "calm seed 1: 1.7 h of at most 24.0 h (10 s)",
        "calm seed 1: 3.3 h of at most 24.0 h (20 s)",
        "calm seed 1: 5.0 h of at most 24.0 h (30 s)",
    ]


def test_a_run_is_watched_to_its_end_and_is_the_same_run() -> None:
    settings = Settings(tokens=50, rate=50, partitions=2, slots=1, hours=0.05)
    seen: list[tuple[float, float]] = []
    watched = play("calm", 1, maker("none", {}), settings, lambda now_s, end_s: seen.append((now_s, end_s)))
    assert seen[-1] == (watched.end_s, 180.0)
    assert [now for now, _ in seen] == sorted({now for now, _ in seen})
    assert watched == play("calm", 1, maker("none", {}), settings)
