"""Several parts, one fate."""

import threading

from fairlane.roles.together import Together


def test_a_stop_ends_all_with_the_worst_code() -> None:
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    together = Together(
        {"a": lambda s: (s.wait(10), 0)[1], "b": lambda s: (s.wait(10), 3)[1]}, lambda: True, lambda: True
    )
    assert together.run(stop) == 3
    timer.join()


def test_the_end_of_one_is_the_end_of_all() -> None:
    seen: list[bool] = []
    together = Together({"a": lambda _: 0, "b": lambda s: seen.append(s.wait(10)) or 0}, lambda: True, lambda: True)
    assert together.run(threading.Event()) == 1, "ending unasked is a failure"
    assert seen == [True]
    assert not together.live()


def test_a_part_that_raises_ends_all_with_its_exit_code() -> None:
    class Gone(Exception):
        exit_code = 4

    def raises(_: threading.Event) -> int:
        raise Gone

    assert (
        Together({"a": raises, "b": lambda s: (s.wait(10), 0)[1]}, lambda: True, lambda: True).run(threading.Event())
        == 4
    )


def test_ready_only_while_running() -> None:
    stop = threading.Event()
    together = Together({"a": lambda s: (s.wait(10), 0)[1]}, lambda: True, lambda: True)
    assert not together.ready()
    runner = threading.Thread(target=together.run, args=(stop,))
    runner.start()
    for _ in range(100):
        if together.ready():
            break
        stop.wait(0.02)
    assert together.ready()
    stop.set()
    runner.join(10)
    assert not together.ready()
