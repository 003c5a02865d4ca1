"""The nearest names to one that is not known."""

from fairlane.app.nearest import MOST, nearest, unknown


def test_a_slip_of_the_finger_is_found() -> None:
    names = ["phc_ab41c7de90f2e6d8a39f", "phc_0d3c5b1aa9e17c2f4410", "acme"]
    assert nearest("phc_ab41c7de90f2e6d8a39e", names)[0] == names[0]
    assert nearest("acne", names) == ("acme",)
    assert nearest("41c7de90", names) == (names[0],), "a part of it is enough"
    assert nearest("zzz", names) == ()


def test_among_very_many_those_that_begin_alike_are_compared() -> None:
    names = [f"t{number:06d}" for number in range(3 * MOST)]
    assert nearest("t045999x", names)[0] == "t045999"


def test_the_sentence_says_how_many_are_known() -> None:
    said = unknown("acne", ["acme"])
    assert "among the 1 tokens with a baseline" in said
    assert said.endswith("Did you mean acme?")
    assert "Did you mean" not in unknown("x", [])
