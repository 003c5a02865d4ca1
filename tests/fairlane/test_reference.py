"""The reference names every setting, and shows no secret."""

from fairlane.reference import MASK, hidden, settings_reference
from fairlane.settings import Settings
from fairlane.settings_errors import paths


def test_every_setting_has_a_meaning_a_default_and_a_variable() -> None:
    rows = settings_reference()
    assert [row.path for row in rows] == paths(Settings)
    assert [row.path for row in rows if not row.meaning or not row.default or not row.type] == []
    assert {row.path: row.variable for row in rows}["pipeline.slo_s"] == "FAIRLANE_PIPELINE__SLO_S"


def test_the_default_says_nothing_about_this_machine() -> None:
    # an address on the network has slashes too, and is no path of this machine
    assert not [row for row in settings_reference() if "/" in row.default and not row.default.startswith('"http')]


def test_secrets_are_masked() -> None:
    tree = {
        "kafka": {"sasl.password": "p", "sasl.username": "u", "ssl.key.location": "k"},
        "database": {"url": "postgresql://u:p@h/d"},
        "slo": {"prometheus": "https://u:p@h/x?token=t"},
        "n": 1,
        "empty": "",
    }
    shown = hidden(tree)
    assert shown["kafka"] == {"sasl.password": MASK, "sasl.username": "u", "ssl.key.location": "k"}
    assert shown["database"] == {"url": f"postgresql://u:{MASK}@h/d"}
    assert shown["slo"] == {"prometheus": f"https://h/x?token={MASK}"}
    assert (shown["n"], shown["empty"]) == (1, "")
