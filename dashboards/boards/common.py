"""What several boards share: the pipeline variable, the annotations, words for states, links to our pages."""

from typing import Final

from dashboards.panels import BLUE, GREEN, RED, YELLOW, Lead, Note, Variable, Words
from dashboards.promql import happened
from isolator import metrics as isolator
from slo import metrics as slo

PIPELINE: Final = Variable("pipeline", "Pipeline", f"label_values({slo.TARGET.name}, pipeline)", multi=True)
OBJECTIVE: Final = Variable("slo", "Objective", f"label_values({slo.TARGET.name}, slo)", multi=True)

STATES: Final[Words] = (("0", "ok", GREEN), ("1", "firing", RED), ("2", "frozen", YELLOW))
SEVERITIES: Final[Words] = (("0", "none", GREEN), ("1", "ticket", YELLOW), ("2", "page", RED))
YES: Final[Words] = (("0", "no", GREEN), ("1", "yes", RED))

OF_SLO: Final = Lead("The objective's page", "/slo/${__field.labels.slo}")
OF_SLO_ROW: Final = Lead("The objective's page", "/slo/${__data.fields.slo}")
MOVES: Final = Lead("Who is moved, and why", "/moves")


def notes(window: str = "1m", step: str = "15s") -> tuple[Note, ...]:
    """Moves, and deploys as told by `fairlane change` or the API. `window` is how far one look reaches back, `step` how far looks are apart."""
    deploys = happened(isolator.COMMANDS, window, "pipeline", where=('action="change"', 'result="ok"'))
    moves = happened(isolator.DECISIONS, window, "pipeline", "kind", where=('kind=~"move|restore"',))
    return (
        Note("Moves", moves, "{{pipeline}}: {{kind}}", BLUE, step),
        Note("Deploys", deploys, "{{pipeline}}: deploy or other change", YELLOW, step),
    )
