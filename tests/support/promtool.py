"""Executing rules offline with Debian's promtool: series in, firing alerts out."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

LIMIT_S = 100


@dataclass(frozen=True)
class Series:
    """One input series: `values` in promtool's notation (`0+10x20`; `_x5` for no samples)."""

    name: str
    labels: Mapping[str, str]
    values: str

    def text(self) -> str:
        """The series as promtool writes it."""
        inside = ",".join(f'{key}="{value}"' for key, value in self.labels.items())
        return f"{self.name}{{{inside}}}"


@dataclass(frozen=True)
class Expect:
    """At `at` the alert fires once for each of `labels` (only the labels in `by` are compared), and for nothing else."""

    at: str
    alert: str
    labels: Sequence[Mapping[str, str]] = ()

    def test(self) -> dict[str, object]:
        """A PromQL test over the alert's own ALERTS series."""
        by = sorted(self.labels[0]) if self.labels else []
        selector = f'ALERTS{{alertname="{self.alert}",alertstate="firing"}}'
        return {
            "expr": f"count by ({', '.join(by)}) ({selector})",
            "eval_time": self.at,
            "exp_samples": [{"labels": Series("", one, "").text(), "value": 1} for one in self.labels],
        }


def check_rules(file: Path) -> str:
    """promtool's verdict on a rule file; fails with its output when it refuses."""
    return run("check", "rules", str(file))


def execute(
    directory: Path, rule_file: str, series: Sequence[Series], expected: Sequence[Expect], interval: str = "15s"
) -> None:
    """Run the rules over the series (a sample each `interval`); every expectation must hold exactly."""
    (directory / "rules.yml").write_text(rule_file, encoding="utf-8")
    body = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [{"series": one.text(), "values": one.values} for one in series],
                "promql_expr_test": [one.test() for one in expected],
            }
        ],
    }
    (directory / "test.yml").write_text(yaml.safe_dump(body, sort_keys=False, width=10_000), encoding="utf-8")
    run("test", "rules", str(directory / "test.yml"))


def check_samples(
    directory: Path,
    rule_file: str,
    series: Sequence[Series],
    at: str,
    values: Mapping[str, float | None],
    interval: str = "30s",
) -> None:
    """Each expression gives one sample without labels of that value at `at`, or nothing for None."""
    (directory / "rules.yml").write_text(rule_file, encoding="utf-8")
    tests = [
        {
            "expr": expr,
            "eval_time": at,
            "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
        }
        for expr, value in values.items()
    ]
    body = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": interval,
        "tests": [
            {
                "interval": interval,
                "input_series": [{"series": one.text(), "values": one.values} for one in series],
                "promql_expr_test": tests,
            }
        ],
    }
    (directory / "test.yml").write_text(yaml.safe_dump(body, sort_keys=False, width=10_000), encoding="utf-8")
    run("test", "rules", str(directory / "test.yml"))


def run(*args: str) -> str:
    """promtool with these arguments; fails with its output when it does."""
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output
