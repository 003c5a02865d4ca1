"""Many runs over the machine's cores. The answer does not depend on how many there are."""

import os
from collections.abc import Callable, Mapping, Sequence

from isolator.simulate.children import children
from isolator.simulate.contender import Maker
from isolator.simulate.run import Result, play, scenario_named
from isolator.simulate.settings import Settings
from isolator.simulate.watch import Watch

Say = Callable[[str], None]


def measure(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    makers: Mapping[str, Maker],
    settings: Settings | None = None,
    *,
    jobs: int = 0,
    say: Say | None = None,
) -> list[Result]:
    """Play every scenario with every seed and every maker; results in that order of nesting. `jobs` processes, 0 for one a core; makers must pickle.

    Raises UsageError for an unknown scenario, before anything is played.
    """
    chosen = settings or Settings()
    names = [scenario_named(name).name for name in scenarios]
    tasks = [(name, seed, maker) for name in names for seed in seeds for maker in makers.values()]
    count = min(jobs or os.cpu_count() or 1, len(tasks))
    results: list[Result] = []
    if count <= 1:
        for number, (name, seed, maker) in enumerate(tasks):
            watch = None if say is None else Watch(say, f"{name} seed {seed}")
            results.append(play(name, seed, maker, chosen, watch))
            _progress(say, number + 1, len(tasks), results[-1])
        return results
    with children(count) as pool:
        futures = [pool.submit(play, name, seed, maker, chosen) for name, seed, maker in tasks]
        try:
            for number, future in enumerate(futures):
                results.append(future.result())
                _progress(say, number + 1, len(tasks), results[-1])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _progress(say: Say | None, done: int, of: int, result: Result) -> None:
    if say is not None:
        found = result.measures
        say(
            f"{done}/{of} {result.contender} {result.scenario} seed {result.seed}: {found.moved} moved, "
            f"{found.late_ratio:.4%} of innocent records late ({result.wall.total_s:.1f} s)"
        )
