"""Files of limits and budgets: what is good is read, what is not is refused with line and reason."""

import pytest

from slo.capacity.limit import Query, Told
from slo.capacity.read import read
from slo.errors import ConfigError

GOOD = """
limits:
  - name: kafka-disk
    title: Disk of the brokers
    unit: bytes
    trigger: 0.7e12
    critical: 900000000000
    lead_days: 60
    owner: streams
    project: CAP-12
    query: max(disk_used_bytes)
    link: https://tickets.example/CAP-12
  - {name: seats, title: Seats, trigger: 80, critical: 100, lead_days: 30, owner: it, project: buy seats}
budgets:
  - {name: warehouse, title: Warehouse, monthly: 12000, currency: EUR, owner: data}
"""


def test_a_good_file() -> None:
    limits, budgets = read([("capacity.yaml", GOOD)], "http://prometheus:9090")
    assert [limit.name for limit in limits] == ["kafka-disk", "seats"]
    assert (limits[0].trigger, limits[0].source) == (0.7e12, Query("http://prometheus:9090", "max(disk_used_bytes)"))
    assert limits[1].source == Told()
    assert budgets[0].monthly == 12_000
    assert read([("empty.yaml", ""), ("b.yaml", "limits: []")]) == ((), ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("owner: streams", "ownr: streams"), r"c.yaml:3: limits.0.owner: Field required"),
        (GOOD.replace("owner: streams", "owner: streams\n    x: 1"), r"c.yaml:10: limits.0.x: Extra inputs"),
        (GOOD.replace("0.7e12", "a lot"), r"c.yaml:6: limits.0.trigger: .*number"),
        (GOOD.replace("0.7e12", ".nan"), r"c.yaml:6: limits.0.trigger"),
        (GOOD.replace("lead_days: 60", "lead_days: 0"), r"c.yaml:3: limit 'kafka-disk': lead_days"),
        (GOOD.replace("900000000000", "1"), r"trigger .* below critical"),
        (GOOD.replace("EUR", "euros"), r"budgets.0.currency"),
        (GOOD.replace("name: seats", "name: warehouse"), r"'warehouse' stands twice"),
        ("limits: 3", r"c.yaml:1: limits: "),
        ("a: &a [*a]", r"c.yaml: line"),
        ("limits:\n - name: a\n   name: b", r"'name' stands twice"),
        ("- 1", "the document"),
    ],
)
def test_a_bad_one_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read([("c.yaml", text)], "http://prometheus:9090")


def test_a_query_without_a_prometheus_to_ask_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"set `prometheus` here or slo\.prometheus"):
        read([("c.yaml", GOOD)])
