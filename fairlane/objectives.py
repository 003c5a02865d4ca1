"""All objectives of an installation: the pipeline's own, and those of OpenSLO files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from fairlane.settings import Settings
from slo.errors import ConfigError
from slo.objective import Objective
from slo.openslo.read import Bundle, read
from slo.openslo.text import MOST_BYTES
from slo.openslo.translate import Translation, translate
from slo.presets import pipeline_objectives
from slo.windows import Pair, Share
from slo.windows_file import read_windows

ENDINGS: Final = (".yaml", ".yml", ".json")


def objectives_of(settings: Settings) -> tuple[Objective, ...]:
    """What is evaluated, the pipeline's own first. Raises ConfigError with one line per problem: what is no OpenSLO, can never hold, or has a name twice.

    What is valid but cannot be measured here is left out; `fairlane slo list` tells it.
    """
    config = settings.slo
    windows = own_windows(config.windows_file)
    try:
        own = pipeline_objectives(
            settings.pipeline.name, settings.pipeline.slo_s, windows=config.windows, own_windows=windows
        )
    except ConfigError as error:
        raise ConfigError(f"slo.windows_file: {error}") from None
    if not config.files:
        return own
    bundle, translation = documents(config.files, config.prometheus, config.windows, windows)
    problems = [str(p) for p in (*bundle.problems, *translation.refused)]
    names = Counter(o.name for o in (*own, *translation.objectives))
    problems += [
        f"slo.files: the objective '{name}' is one of the pipeline's own; give it another name"
        for name, n in names.items()
        if n > 1
    ]
    if problems:
        raise ConfigError("slo.files: objectives are refused" + "".join(f"\n  - {p}" for p in problems))
    return (*own, *translation.objectives)


def own_windows(file: Path | None) -> tuple[Share | Pair, ...]:
    """The alert windows of that file; () without one. Raises ConfigError."""
    return () if file is None else read_windows("".join(text for _, text in texts([file])), str(file))


def documents(
    files: Iterable[Path],
    prometheus: str = "",
    windows: str = "google-mwmb",
    own: tuple[Share | Pair, ...] = (),
) -> tuple[Bundle, Translation]:
    """The documents of all files as one set, and what becomes of them. Raises ConfigError for a file that cannot be read."""
    bundle = read(texts(files))
    return bundle, translate(bundle, prometheus=prometheus, windows=windows, own_windows=own)


def texts(files: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Names and contents, in the order of names within a folder. Raises ConfigError for what is not there, too large or no text."""
    for path in files:
        inside = sorted(p for p in path.rglob("*") if p.suffix in ENDINGS) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"{path}: there are no {', '.join(ENDINGS)} files in this folder")
        for file in inside:
            try:
                if file.stat().st_size > MOST_BYTES:
                    raise ConfigError(
                        f"{file}: larger than {MOST_BYTES // 1024 // 1024} MiB; split it into several files"
                    )
                yield str(file), file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(
                    f"{file}: cannot be read: {error}. Give the path of an OpenSLO file or folder"
                ) from error
