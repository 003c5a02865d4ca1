"""Finding the user's handler, and saying clearly why not."""

import sys
import types

import pytest

from ingestion.config import PipelineConfig, SinkConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Record, Retry
from ingestion.lanes.handler import HandlerContext, PerRecord, load
from slo.errors import HandlerError

CONTEXT = HandlerContext(Lane.GENERAL, PipelineConfig(), SinkConfig())


def record(offset: int) -> Record:
    return Record(
        Lane.GENERAL, "p.general", 0, offset, "t", "d", "e", "click", 0, 0, f"p.general/0/{offset}", b"d", b"{}"
    )


class Whole:
    def __init__(self, context: HandlerContext) -> None:
        self.context = context

    def handle(self, batch):
        return [Done()] * len(batch)


@pytest.fixture
def module(monkeypatch):
    made = types.ModuleType("users_module")
    monkeypatch.setitem(sys.modules, "users_module", made)
    return made


def test_a_class_is_made_with_the_context(module) -> None:
    module.Whole = Whole
    assert load("users_module:Whole", CONTEXT).context is CONTEXT


def test_an_object_with_handle_is_taken_as_it_is(module) -> None:
    module.one = Whole(CONTEXT)
    assert load("users_module:one", CONTEXT) is module.one


def test_a_factory_is_called_with_the_context(module) -> None:
    def make(context: HandlerContext) -> Whole:
        return Whole(context)

    module.make = make
    assert load("users_module:make", CONTEXT).context is CONTEXT


def test_a_function_of_one_record_is_wrapped_and_timed(module) -> None:
    module.seen = []
    module.one = lambda record: module.seen.append(record.offset)
    outcomes = load("users_module:one", CONTEXT).handle([record(1), record(2)])
    assert module.seen == [1, 2]
    assert all(isinstance(o, Done) and o.cost is not None for o in outcomes)


def test_a_wrapped_function_applies_nothing_behind_a_retry() -> None:
    seen = []

    def one(r: Record):
        seen.append(r.offset)
        return Retry(1.0) if r.offset == 2 else None

    assert [type(o) for o in PerRecord(one, "x").handle([record(i) for i in range(1, 5)])] == [
        Done,
        Retry,
        Retry,
        Retry,
    ]
    assert seen == [1, 2]


def bad_factory(context: HandlerContext) -> object:
    raise ZeroDivisionError("ouch")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("no_such_module_here:x", "importing module 'no_such_module_here' failed"),
        ("users_module:nothing", "there is no 'nothing'"),
        ("users_module", "write it as `module:attribute`"),
        ("users_module:number", "is a int"),
        ("users_module:Empty", "has no handle"),
        ("users_module:bad_factory", "ZeroDivisionError: ouch"),
    ],
)
def test_what_is_wrong_is_said_with_the_name_and_the_remedy(module, spec, says) -> None:
    module.number = 3
    module.Empty = type("Empty", (), {"__init__": lambda self, context: None})
    module.bad_factory = bad_factory
    with pytest.raises(HandlerError, match=says.replace("(", r"\(")):
        load(spec, CONTEXT)


def test_a_wrapped_function_that_answers_nonsense_is_told_what_to_answer() -> None:
    with pytest.raises(HandlerError, match="return None, Done"):
        PerRecord(lambda _: "fine", "m:f").handle([record(1)])
