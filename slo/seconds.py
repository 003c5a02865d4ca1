"""Which seconds of a minute were observed, and which of them were bad: a bit each, so that hearing of a second twice changes nothing."""

from dataclasses import dataclass

from slo.slices import SLICE_S, Slice


@dataclass(frozen=True, slots=True)
class Seconds:
    """Bit n stands for second n of the minute. A second that anyone saw bad is bad: `|` is commutative and idempotent."""

    observed: int = 0
    bad: int = 0

    def __or__(self, other: "Seconds") -> "Seconds":
        """What both saw."""
        return Seconds(self.observed | other.observed, self.bad | other.bad)

    @property
    def slice(self) -> Slice:
        """The minute as a time slice: good of observed seconds."""
        seen = self.observed.bit_count()
        return Slice(seen - (self.bad & self.observed).bit_count(), seen, SLICE_S, seen)

    @property
    def first(self) -> int:
        """The first second that was observed; 0 when none was."""
        return (self.observed & -self.observed).bit_length() - 1 if self.observed else 0


def span(begin: int, end: int, *, bad: bool) -> dict[int, Seconds]:
    """The Unix seconds `begin` to `end`, both included, by Unix minute."""
    marked: dict[int, Seconds] = {}
    for second in range(begin, end + 1):
        bit = 1 << second % SLICE_S
        minute = second // SLICE_S
        marked[minute] = marked.get(minute, Seconds()) | Seconds(bit, bit if bad else 0)
    return marked
