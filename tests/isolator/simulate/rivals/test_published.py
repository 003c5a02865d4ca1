"""The rivals' constants are the published ones. The addresses of what was read stand in each rule's NOTE."""

import re

import pytest

from isolator.simulate.contender import Site
from isolator.simulate.rivals import NOTES, RIVALS, bucket, foundationdb, pulsar, sentry, sqs


@pytest.mark.parametrize(
    ("ours", "published"),
    [
        pytest.param(bucket.PER_SECOND, 100, id="capture config.rs: overflow_per_second_limit"),
        pytest.param(bucket.PER_SECOND * bucket.BURST_S, 1000, id="capture config.rs: overflow_burst_limit"),
        pytest.param(sqs.SHARE, 0.10, id="SQS: over 10 percent of the messages in flight, or of the processing time"),
        pytest.param(sqs.IN_FLIGHT, 30, id="SQS: at least 30 messages in flight"),
        pytest.param(sqs.QUIET_S, 5 * 60, id="SQS: nothing sent for 5 minutes"),
        pytest.param(foundationdb.GATE, 800e6 / 1000e6, id="AUTO_TAG_THROTTLE_STORAGE_QUEUE_BYTES of TARGET_BYTES_PER_STORAGE_SERVER"),
        pytest.param(foundationdb.BUSYNESS, 0.1, id="AUTO_THROTTLE_TARGET_TAG_BUSYNESS"),
        pytest.param(foundationdb.AGGREGATE_S, 5.0, id="AUTO_TAG_THROTTLE_START_AGGREGATION_TIME"),
        pytest.param(foundationdb.UPDATE_S, 10.0, id="AUTO_TAG_THROTTLE_UPDATE_FREQUENCY"),
        pytest.param(foundationdb.DURATION_S, 240.0, id="AUTO_TAG_THROTTLE_DURATION"),
        pytest.param(foundationdb.RAMP_S, 120.0, id="AUTO_TAG_THROTTLE_RAMP_UP_TIME"),
        pytest.param(foundationdb.MOST_TAGS, 5, id="MAX_AUTO_THROTTLED_TRANSACTION_TAGS"),
        pytest.param(foundationdb.TRACKED, 5, id="SS_THROTTLE_TAGS_TRACKED"),
        pytest.param(pulsar.WATERMARK, 0.80, id="keySharedHotKeyDetectionWatermark"),
        pytest.param(pulsar.TOP, 10, id="keySharedHotKeyTopN"),
        pytest.param(pulsar.DOMINANCE, 0.50, id="keySharedHotKeyDominanceThreshold"),
        pytest.param(pulsar.COOLDOWN_S * 1000, 60_000, id="keySharedHotKeyReleaseCooldownMs"),
        pytest.param(pulsar.PER_CONSUMER, 2_000, id="keySharedLookAheadMsgInReplayThresholdPerConsumer"),
        pytest.param(pulsar.PER_SUBSCRIPTION, 20_000, id="keySharedLookAheadMsgInReplayThresholdPerSubscription"),
        pytest.param(sentry.BUDGET, 5.0, id="SENTRY_LPQ_OPTIONS project_budget"),
        pytest.param(sentry.WINDOW_S, 2 * 60, id="SENTRY_REALTIME_METRICS_OPTIONS budget_time_window"),
        pytest.param(sentry.BACKOFF_S, 5 * 60, id="SENTRY_REALTIME_METRICS_OPTIONS backoff_timer"),
    ],
)  # fmt: skip
def test_a_constant_is_the_published_one(ours: float, published: float) -> None:
    assert ours == pytest.approx(published)


def test_every_rival_says_how_true_it_is_and_whom_each_liberty_favours() -> None:
    assert list(NOTES) == list(RIVALS)
    for name, (note, tuned) in NOTES.items():
        assert note.rule
        assert note.model
        assert bool(tuned) is name.endswith(", tuned")
        assert all(re.fullmatch(r"https://[\w./-]+", address) for _, address in note.sources)
        assert note.sources or name in {"none", "top-10 by volume", "z > 6"}


def test_nobody_judges_more_seldom_than_ours_but_who_does_nothing() -> None:
    site = Site(["t"], 1, 1, 1.0, 30.0, [1.0], [1e-3], 86_400.0)
    paces = {name: maker(site).tick_s for name, maker in RIVALS.items()}
    assert {name for name, pace in paces.items() if pace > 5.0} == {"none"}
