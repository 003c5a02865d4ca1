"""Kafka's jars: from KAFKA_HOME, or resolved once from Maven Central into the user's cache."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fairlane.stack.lock import Held, locked
from slo.errors import StackUnavailable

KAFKA_VERSION: Final = "4.1.1"
ROOTS: Final = (("org.apache.kafka", "kafka_2.13", KAFKA_VERSION), ("org.slf4j", "slf4j-simple", "1.7.36"))
DOWNLOAD_LIMIT_S: Final = 600.0
_ADVICE: Final = (
    "Connect to the network once (about 43 MB are fetched and kept), or set KAFKA_HOME to an unpacked Kafka 4, "
    "or set kafka.bootstrap (FAIRLANE_KAFKA__BOOTSTRAP=host:port) to use your own Kafka."
)


@dataclass(frozen=True, slots=True)
class Jars:
    """A directory of jars that make a broker, and Kafka's version."""

    directory: Path
    version: str


def find(cache: Path, *, quiet: bool = False) -> Jars:
    """The jars of a Kafka broker.

    KAFKA_HOME wins; else `cache`; else they are downloaded into it, with a progress bar on stderr unless `quiet`. Two processes never download at
    once, and the directory appears whole or not at all. Raises StackUnavailable, which says what to do, when they cannot be had.
    """
    if home := os.environ.get("KAFKA_HOME"):
        return _from_home(Path(home).expanduser())
    target = cache / f"kafka-{KAFKA_VERSION}"
    if not target.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with locked(cache / ".download.lock", wait_s=DOWNLOAD_LIMIT_S):
                if not target.is_dir():
                    _download(cache, target, quiet=quiet)
        except Held as held:
            raise StackUnavailable(
                f"process {held.pid} has been downloading Kafka for {DOWNLOAD_LIMIT_S:.0f} s: {held}. {_ADVICE}"
            ) from held
        except OSError as error:
            raise StackUnavailable(
                f"cannot get Kafka {KAFKA_VERSION} into {cache}: {_reason(error)}. {_ADVICE}"
            ) from error
    return Jars(target, KAFKA_VERSION)


def expected() -> dict[str, str]:
    """File name to SHA-256 of every jar that a broker of KAFKA_VERSION is made of."""
    lines = resources.files("fairlane.stack").joinpath("jars.sha256").read_text(encoding="ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def _from_home(home: Path) -> Jars:
    libs = home / "libs"
    cores = sorted(libs.glob("kafka_2.*.jar"))
    names = [core.stem.partition("-")[2] for core in cores if "sources" not in core.name and "test" not in core.name]
    if not names:
        raise StackUnavailable(
            f"KAFKA_HOME is {home}, but {libs} holds no kafka_2.*.jar: set it to an unpacked Kafka 4, or unset it"
        )
    if int(names[0].split(".")[0]) < 4:
        raise StackUnavailable(
            f"KAFKA_HOME is {home}, which is Kafka {names[0]}: Kafka 4 or newer is needed (KRaft), or unset it"
        )
    return Jars(libs, names[0])


def _download(cache: Path, target: Path, *, quiet: bool) -> None:
    staging = cache / ".staging"
    shutil.rmtree(staging, ignore_errors=True)
    jars = staging / "jars"
    jars.mkdir(parents=True)
    try:
        with _progress(quiet=quiet) as report:
            for path in _resolve(staging / "repository", report):
                shutil.copyfile(path, jars / path.name)
        _verify(jars)
        jars.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _verify(jars: Path) -> None:
    wanted = expected()
    have = {path.name: sha256(path.read_bytes()).hexdigest() for path in jars.iterdir()}
    wrong = sorted(name for name in wanted.keys() | have.keys() if wanted.get(name) != have.get(name))
    if wrong:
        raise StackUnavailable(
            f"the downloaded Kafka {KAFKA_VERSION} is not the known one: {', '.join(wrong)} differ from the recorded SHA-256. "
            "Nothing was kept. Try again; if it stays so, look at what stands between this machine and Maven Central."
        )


def _resolve(repository: Path, report: Callable[[str, int, int], None]) -> list[Path]:
    from jgo.maven import Dependency, MavenContext, PythonResolver

    @contextmanager
    def on_download(name: str, total: int) -> Iterator[Callable[[int], None]]:
        report(name, 0, total)
        yield lambda count: report(name, count, 0)

    try:
        resolver = PythonResolver(progress_callback=on_download)
        maven = MavenContext(repo_cache=repository, resolver=resolver, timeout=20)
        roots = [
            Dependency(maven.project(group, name).at_version(version).artifact()) for group, name, version in ROOTS
        ]
        inputs, transitive = resolver.resolve(roots)
        wanted = [d.artifact for d in (*inputs, *(d for d in transitive if d.scope in {"compile", "runtime"}))]
        with ThreadPoolExecutor(8, "download") as pool:
            return list(pool.map(lambda artifact: Path(artifact.resolve()), wanted))
    except (OSError, RuntimeError, AssertionError, ValueError) as error:  # requests' errors are OSErrors
        raise StackUnavailable(
            f"cannot download Kafka {KAFKA_VERSION} from Maven Central: {_reason(error)}. {_ADVICE}"
        ) from error


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A `report(name, bytes more, bytes new in total)`, drawn as one bar."""
    if quiet:
        yield lambda _name, _count, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr)
    columns: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    if not console.is_terminal:
        print(f"fetching Kafka {KAFKA_VERSION} from Maven Central (once, about 43 MB)", file=sys.stderr)
    lock = threading.Lock()
    sizes = 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"Kafka {KAFKA_VERSION} (once)", total=None)

        def report(name: str, count: int, total: int) -> None:
            nonlocal sizes
            if not name.endswith(".jar"):
                return
            with lock:
                sizes += total
                # the bar never says "done" while further jars are still unknown: all of them weigh at least this much
                bar.update(task, advance=count, total=max(sizes, 43_000_000))

        yield report


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"[:300]
