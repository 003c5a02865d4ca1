"""A `Source` that answers with what it was last told to show, for tests, screenshots and work on the pages without a broker."""

from dataclasses import replace

from fairlane.app import canned_moves
from fairlane.app.canned_moves import EPOCH, PIPELINE, Scene
from fairlane.app.docket import Docket, Trace, docket_of
from fairlane.app.observation import Observation
from isolator.explain import Explanation, explain
from isolator.verdict import Verdict


class CannedSource:
    """Answers with what it was last told to show."""

    def __init__(
        self, shown: Observation, pipelines: tuple[str, ...] = (PIPELINE,), scene: Scene | None = None
    ) -> None:
        self.shown = shown
        self.scene = scene or canned_moves.calm()
        self._pipelines = pipelines
        self.started = False

    def pipelines(self) -> tuple[str, ...]:
        """As given."""
        return self._pipelines

    def observe(self, pipeline: str) -> Observation:
        """The scene. Raises KeyError for a pipeline that was not given."""
        if pipeline not in self._pipelines:
            raise KeyError(pipeline)
        return replace(self.shown, pipeline=pipeline, pipelines=self._pipelines)

    def docket(self, pipeline: str) -> Docket:
        """The scene's state. Raises KeyError for a pipeline that was not given."""
        if pipeline not in self._pipelines:
            raise KeyError(pipeline)
        scene = self.scene
        return docket_of(
            scene.state, EPOCH, pipeline=pipeline, pipelines=self._pipelines, lags=scene.lags, parts=scene.parts
        )

    def explain(self, pipeline: str, token: str) -> Explanation:  # noqa: ARG002 - the port's shape
        """What the scene tells of a token."""
        return explain(self.scene.state, token, int(EPOCH * 1000))

    def baselines(self, pipeline: str) -> tuple[str, ...]:  # noqa: ARG002 - the port's shape
        """As the scene has them."""
        return self.scene.known

    def verdict(self, pipeline: str, verdict_id: str) -> Verdict | None:  # noqa: ARG002 - the port's shape
        """Nothing is kept beside the state."""
        return None

    def trace(self, pipeline: str, token: str, partitions: tuple[int, ...], since_ms: int, until_ms: int) -> Trace:  # noqa: ARG002 - the port's shape
        """What the scene has of a token; nothing for others."""
        return self.scene.traces.get(token, Trace())

    def ready(self) -> bool:
        """Once started."""
        return self.started

    def start(self) -> None:
        """Nothing to follow."""
        self.started = True

    def stop(self) -> None:
        """Nothing to stop."""
        self.started = False
