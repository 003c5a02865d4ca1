"""What is written as TOML is read back equal."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlane import toml

TEXT = st.text(alphabet=st.characters(codec="utf-8"))
VALUES = st.one_of(
    TEXT,
    st.integers(-(2**62), 2**62),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(TEXT, max_size=4),
)
TREES = st.recursive(
    st.dictionaries(TEXT, VALUES, max_size=4),
    lambda inner: st.dictionaries(TEXT, VALUES | inner, max_size=4),
    max_leaves=12,
)


@given(TREES)
def test_round_trip(tree: dict) -> None:
    assert tomllib.loads(toml.dumps(tree)) == tree


def test_none_is_left_out_and_paths_are_text() -> None:
    assert tomllib.loads(toml.dumps({"a": None, "b": Path("/x")})) == {"b": "/x"}


def test_what_toml_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        toml.dumps({"a": object()})
