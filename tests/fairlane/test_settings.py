"""Where settings come from, which wins, and what is said about a wrong one."""

from pathlib import Path

import pytest

from fairlane.settings import Settings, load
from fairlane.settings_errors import paths
from ingestion.contracts.routes import Mode
from slo.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def file(text: str) -> Path:
    path = Path("some.toml")
    path.write_text(text)
    return path


def refused(path: Path | None = None, overrides: dict | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    return str(caught.value)


def test_flag_over_environment_over_file_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    path = file('[pipeline]\nname = "file"\npartitions = 3\nconcurrency = 4\n')
    monkeypatch.setenv("FAIRLANE_PIPELINE__NAME", "environment")
    monkeypatch.setenv("FAIRLANE_PIPELINE__PARTITIONS", "5")
    found = load(path, {"pipeline.name": "flag"}).pipeline
    assert (found.name, found.partitions, found.concurrency, found.slo_s) == ("flag", 5, 4, 30.0)


def test_fairlane_toml_here_is_found_by_itself() -> None:
    Path("fairlane.toml").write_text('[policy]\nmode = "auto"\nguard_share = 0.5\n')
    found = load()
    assert found.policy.mode is Mode.AUTO
    assert found.policy_constants.guard_share == 0.5


def test_production_observes_unless_told_otherwise() -> None:
    assert load().policy.mode is Mode.OBSERVE


REFUSED = {
    "a mistyped key in the file": (
        '[pipeline]\nnmae = "x"',
        {},
        "pipeline.nmae: there is no such setting (from some.toml); did you mean pipeline.name?",
    ),
    "a mistyped section": (
        '[pipelin]\nname = "x"',
        {},
        "pipelin: there is no such setting (from some.toml); did you mean pipeline?",
    ),
    "a section as a whole and by key": (
        "",
        {"pipeline": "3", "pipeline.partitions": "4"},
        "pipeline and pipeline.partitions are both set",
    ),
    "a librdkafka section as a whole and by key": (
        "",
        {"kafka.bootstrap": "a:1", "kafka": "3"},
        "kafka and kafka.bootstrap",
    ),
    "a mistyped flag": (
        "",
        {"worker.slott": "1"},
        "worker.slott: there is no such setting (from a flag); did you mean worker.slot?",
    ),
    "a value of the wrong type": ('[capture]\nport = "x"', {}, "capture.port: input should be a valid integer"),
    "a value out of range": ("[pipeline]\npartitions = 0", {}, "greater than or equal to 1, not 0 (from some.toml)"),
    "an unknown mode": (
        '[policy]\nmode = "automatic"',
        {},
        "policy.mode: input should be 'off', 'observe', 'suggest' or 'auto'",
    ),
    "a mistyped constant": ("[policy]\nguard_shar = 1.0", {}, "did you mean policy.guard_share?"),
    "an impossible constant": ("[policy]\nguard_share = -1.0", {}, "must be greater than 0"),
    "a constant that another section sets": ("[policy]\nslo_s = 5.0", {}, "set pipeline.slo_s instead"),
    "a mistyped librdkafka property": (
        '[kafka]\nsecurity.protocl = "ssl"',
        {},
        "did you mean security.protocol? (from some.toml)",
    ),
    "a librdkafka property that the promise rests on": (
        '[kafka]\n"acks" = "1"',
        {},
        "kafka.acks: cannot be set: acks is always all",
    ),
    "bootstrap.servers by its librdkafka name": (
        '[kafka]\nbootstrap.servers = "h:1"',
        {},
        "write it as kafka.bootstrap",
    ),
    "pages beyond loopback without a login": ('[web]\nhost = "0.0.0.0"', {}, "auth.keys = true"),
}


@pytest.mark.parametrize(("text", "flags", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(text: str, flags: dict, says: str) -> None:
    assert says in refused(file(text), flags)


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLANE_PIPLINE__NAME", "x")
    monkeypatch.setenv("FAIRLANE_CAPTURE__PROT", "1")
    said = refused(file('state_dri = "x"\n[kafka]\nacks = 1\n[web]\nport = -1\n'))
    assert "5 problems" in said
    assert (
        "FAIRLANE_PIPLINE__NAME: there is no such setting (from the environment); did you mean FAIRLANE_PIPELINE__NAME?"
        in said
    )
    assert "capture.prot: there is no such setting (from environment variable FAIRLANE_CAPTURE__PROT)" in said


def test_a_list_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLANE_CAPTURE__TOKENS", '["a", "b"]')
    assert load().capture.tokens == ("a", "b")
    monkeypatch.setenv("FAIRLANE_CAPTURE__TOKENS", "a,b")
    assert '["a", "b"]' in refused()


@pytest.mark.parametrize(("text", "says"), [("[pipeline", "is not TOML"), ("", "cannot read")])
def test_an_unreadable_file_is_told(text: str, says: str) -> None:
    path = file(text) if text else Path("missing.toml")
    assert says in refused(path)


def test_a_password_is_never_repeated() -> None:
    said = refused(file('[kafka]\nsasl.password = ["hunter2"]\n'))
    assert "hunter2" not in said


def test_librdkafka_properties_pass_through_in_every_notation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLANE_KAFKA__SASL_USERNAME", "u")
    path = file('[kafka]\nbootstrap = "h:1"\nsecurity.protocol = "SSL"\n"socket.keepalive.enable" = true\n')
    client = load(path, {"kafka.client.rack": "r1"}).kafka.client(group_id="g")
    assert client["bootstrap.servers"] == "h:1"
    wanted = {
        "security.protocol": "SSL",
        "sasl.username": "u",
        "socket.keepalive.enable": "true",
        "client.rack": "r1",
        "group.id": "g",
    }
    assert wanted.items() <= client.items()


def test_what_is_dumped_is_read_back_equal() -> None:
    path = file(
        '[kafka]\nbootstrap = "h:1"\nsecurity.protocol = "SSL"\n[capture]\ntokens = ["a", "ü\\""]\n[policy]\nmode = "auto"\ncalm_s = 20.0\n'
    )
    settings = load(path, {"state_dir": "state", "pipeline.slo_s": "12.5"})
    again = Path("again.toml")
    again.write_text(settings.dump())
    assert load(again) == settings
    assert settings.state_dir == Path("state").absolute()


def test_defaults_follow_the_state_directory() -> None:
    settings = load(None, {"state_dir": "/var/x"})
    assert settings.database_url == "sqlite:////var/x/fairlane.db"
    assert settings.sink_config.url == "sqlite:////var/x/sink.db"
    assert load(None, {"database.url": "postgresql://h/d"}).database_url == "postgresql://h/d"


def test_the_policy_follows_the_pipeline() -> None:
    constants = load(
        None, {"pipeline.slo_s": "12", "controller.tick_s": "2", "pipeline.hold_max_s": "1", "pipeline.hung_s": "9"}
    ).policy_constants
    assert (constants.slo_s, constants.tick_s, constants.hold_max_s, constants.hung_s) == (12, 2, 1, 9)


def test_every_setting_can_be_named() -> None:
    known = paths(Settings)
    assert len(known) == len(set(known))
    assert {"pipeline.partitions", "policy.guard_share", "kafka.bootstrap", "state_dir"} <= set(known)
    assert "policy.slo_s" not in known


def test_the_policy_is_judged_with_what_other_sections_set() -> None:
    short = load(None, {"policy.calm_s": 1.0, "controller.tick_s": 0.5})
    assert (short.policy_constants.calm_s, short.policy_constants.tick_s) == (1.0, 0.5)
    assert short.policy.constants == short.policy_constants
    with pytest.raises(ConfigError, match=r"tick_s \(5.0\) must not exceed policy.calm_s"):
        load(None, {"policy.calm_s": 1.0})
    with pytest.raises(ConfigError, match=r"must not exceed"):
        load(None, {"controller.tick_s": 60.0, "pipeline.slo_s": 30.0, "policy.calm_s": 59.0})


def test_a_short_objective_takes_the_default_of_how_old_a_report_may_be_with_it() -> None:
    quick = "[controller]\ntick_s = 1\n[pipeline]\nslo_s = "
    assert load(file(f"{quick}5")).policy_constants.stale_s == 5
    assert load(file(f"{quick}20")).policy_constants.stale_s == 10
    changed = load(file(f"{quick}20"))
    short = changed.model_copy(update={"pipeline": changed.pipeline.model_copy(update={"slo_s": 5.0})})
    assert short.policy_constants.stale_s == 5
    assert "policy.stale_s (8.0) is impossible" in refused(file(f"{quick}5\n[policy]\nstale_s = 8.0"))
