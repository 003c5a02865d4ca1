"""Laws of the error tree: each error says what it is, how a script sees it, and how HTTP does."""

from itertools import pairwise

import pytest

from fairlane.cli.docs import error_classes
from slo.errors import FairlaneError

CLASSES = list(error_classes())
INHERITS_KNOWINGLY: set[str] = set()
"""Errors that share their parent's problem type on purpose."""


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_has_a_problem_type_an_exit_code_a_status_and_a_first_line(cls: type[FairlaneError]) -> None:
    assert "problem" in vars(cls) or cls.__name__ in INHERITS_KNOWINGLY, (
        f"{cls.__name__} has no problem type of its own"
    )
    assert cls.exit_code in range(5)
    assert cls.exit_code != 0, "an error is never success"
    assert 400 <= cls.status < 600
    first = (vars(cls).get("__doc__") or "").strip().splitlines()
    assert first
    assert first[0].endswith(".")
    assert cls("x").title == first[0]


def test_problem_types_are_unique() -> None:
    own = [cls.problem for cls in CLASSES if cls.__name__ not in INHERITS_KNOWINGLY]
    assert [a for a, b in pairwise(sorted(own)) if a == b] == []


def test_the_tree_at_the_top_of_the_module_names_every_error() -> None:
    from slo import errors

    assert [
        cls.__name__ for cls in CLASSES if cls.__module__ == "slo.errors" and cls.__name__ not in (errors.__doc__ or "")
    ] == []


def test_the_tree_is_not_empty() -> None:
    assert len(CLASSES) > 10
