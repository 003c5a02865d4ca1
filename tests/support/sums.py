"""Running sums made from rolling windows."""

from collections.abc import Mapping

import numpy as np

from slo.running import Sums
from slo.store import Rolling


def sums_of(found: Mapping[str, Rolling], now: float) -> Sums:
    """What RunningSums would show for `found`."""
    names = tuple(found)
    windows = sorted({w for rolling in found.values() for w in rolling.windows})

    def column(of: object) -> np.ndarray:
        return np.array([of(found[name]) for name in names], dtype=np.int64)

    minutes = sorted({at for rolling in found.values() for at in rolling.bad_at})
    return Sums(
        now,
        names,
        column(lambda r: r.born),
        {
            w: np.array(
                [
                    [getattr(found[name].windows[w].slice, field) for name in names]
                    for field in ("good", "total", "expected", "observed")
                ],
                dtype=np.int64,
            )
            for w in windows
        },
        {w: column(lambda r, w=w: r.windows[w].due_observed_s) for w in windows},
        {w: column(lambda r, w=w: r.windows[w].due_s) for w in windows},
        {at: column(lambda r, at=at: int(at in r.bad_at)) for at in minutes},
    )
