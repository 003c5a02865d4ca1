"""Asking for partitions can be cancelled at any moment."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from ingestion.capture.topics import KafkaTopics
from ingestion.config import KafkaConfig
from slo.clock import SystemClock


@pytest.mark.parametrize("turns", range(6))
def test_a_cancel_at_the_moment_of_the_answer_is_not_swallowed(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reporter that missed its cancel went on for ever, and capture could not stop."""
    asked: Future[SimpleNamespace] = Future()
    admin = SimpleNamespace(describe_topics=lambda _topics, request_timeout: {"topic": asked})

    async def ask() -> tuple[bool, asyncio.Task[int]]:
        topics = KafkaTopics(KafkaConfig(bootstrap="127.0.0.1:1"), SystemClock())
        monkeypatch.setattr(topics, "_admin", admin)
        task = asyncio.create_task(topics.partitions("topic"))
        await asyncio.sleep(0)
        asked.set_result(SimpleNamespace(partitions=[0, 1]))
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = task.cancel()
        await asyncio.wait([task], timeout=5)
        return cancelled, task

    cancelled, task = asyncio.run(ask())
    assert task.cancelled() if cancelled else task.result() == 2
