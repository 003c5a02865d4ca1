"""Numbers of the isolation benchmark as its page writes them. The same number is always the same text."""

from isolator.simulate.summary import Mean

NOTHING = "–"


def seconds(value: float | None) -> str:
    """Whole seconds from 10 on, one digit below; a dash for nothing to time."""
    if value is None:
        return NOTHING
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"


def percent(share: float) -> str:
    """Two significant digits; what is not zero never reads as zero."""
    if share <= 0:
        return "0 %"
    value = 100 * share
    if value < 0.001:
        return "<0.001 %"
    digits = 0 if value >= 10 else 1 if value >= 1 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f} %"


def interval(found: Mean) -> str:
    """A share with its interval."""
    return (
        percent(found.mean)
        if found.low == found.high
        else f"{percent(found.mean)} ({percent(found.low)} to {percent(found.high)})"
    )


def number(value: float) -> str:
    """A count a run."""
    if value <= 0:
        return "0"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def counted(found: Mean) -> str:
    """A count a run with its interval."""
    return (
        number(found.mean)
        if found.low == found.high
        else f"{number(found.mean)} ({number(found.low)} to {number(found.high)})"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown, the first column to the left and all others to the right."""
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join([" --- "] + [" ---: "] * (len(head) - 1)) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"
