"""What the worker knows of a token between chunks: its hash, its name, its predicted work. Looked up by the header's bytes."""

from collections.abc import Iterable
from typing import Final

from ingestion.lanes.fence import token_hash

FORWARD_S: Final = 7e-6
"""Predicted work of forwarding, dead-lettering or merely counting a record (measured: 6.6 us)."""
_FIRST_GUESS_S: Final = 1e-3
_WEIGHT: Final = 0.3
_LIMIT: Final = 100_000


class Predictions:
    """Predicted handler seconds per record and token: exponentially weighted means, the lane's own mean for strangers.

    The first guess of 1 ms is replaced by the first chunk's mean.
    """

    def __init__(self, first_guess_s: float = _FIRST_GUESS_S) -> None:
        self.mean = first_guess_s
        self._learned = False
        self._costs: dict[bytes, float] = {}

    def costs(self, tokens: Iterable[bytes]) -> list[float]:
        """Predicted seconds for a record of each token."""
        get, mean = self._costs.get, self.mean
        return [get(token, mean) for token in tokens]

    def learn(self, work: dict[bytes, tuple[int, float]]) -> None:
        """Take in a chunk's (records, seconds) per token. A token that got dearer is believed at once, one that got cheaper slowly."""
        records = sum(n for n, _ in work.values())
        if not records:
            return
        if len(self._costs) + len(work) > _LIMIT:
            self._costs.clear()
        mean = max(FORWARD_S, sum(s for _, s in work.values()) / records)
        self.mean = mean if not self._learned else self.mean + _WEIGHT * (mean - self.mean)
        self._learned = True
        for token, (count, seconds) in work.items():
            seen = max(FORWARD_S, seconds / count)
            old = self._costs.get(token, self.mean)
            self._costs[token] = seen if seen > old else old + _WEIGHT * (seen - old)


class Names:
    """Token bytes to (name, hash), remembered."""

    def __init__(self) -> None:
        self.known: dict[bytes, tuple[str, int]] = {}

    def of(self, token: bytes) -> tuple[str, int]:
        """The token's text and hash; raises UnicodeDecodeError when it is not UTF-8."""
        found = self.known.get(token)
        if found is None:
            if len(self.known) >= _LIMIT:
                self.known.clear()
            found = self.known[token] = (token.decode(), token_hash(token))
        return found
