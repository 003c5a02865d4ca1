"""Install what some tests need besides Python, where that can be done without asking: Debian, and root or passwordless sudo.

Says what it does, starts no service, has limits on time, and never fails: a tool that is still missing is told again in the last lines of the test run.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager", "chromium": "chromium"}
"""Program to Debian package."""
UPDATE_LIMIT_S = 120
INSTALL_LIMIT_S = 300
POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID = "#!/bin/sh\n# fairlane tests: packages are installed for their programs, their services stay down\nexit 101\n"


def say(text: str) -> None:
    """One line on stderr."""
    print(f"tools: {text}", file=sys.stderr, flush=True)


def missing() -> list[str]:
    """Packages whose program is not there."""
    return [package for program, package in PACKAGES.items() if shutil.which(program) is None]


def root() -> list[str] | None:
    """What to put before a command to run it as root; None when that is not possible without asking."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=10, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def run(command: list[str], limit_s: int) -> bool:
    """Run it within the limit; says why when it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"gave up: {error}")
        return False
    if done.returncode != 0:
        last = ([line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["no output"])[-1]
        say(f"{' '.join(command[:4])} ... ended with {done.returncode}: {last}")
    return done.returncode == 0


def install(packages: list[str], as_root: list[str]) -> None:
    """Fetch and install them with their services kept down."""
    # Debian asks this program before it starts a service; it is put there for the time of the installation only
    ours = not POLICY.exists()
    if ours:
        with tempfile.NamedTemporaryFile("w", suffix=".policy", delete=False) as script:
            script.write(_FORBID)
        ours = run([*as_root, "install", "-m", "755", script.name, str(POLICY)], 10)
        Path(script.name).unlink()
    try:
        options = ["-o", "DPkg::Lock::Timeout=60", "-o", "Acquire::Retries=2"]
        if run([*as_root, "apt-get", *options, "-q", "update"], UPDATE_LIMIT_S):
            run(
                [*as_root, "apt-get", *options, "-q", "-y", "--no-install-recommends", "install", *packages],
                INSTALL_LIMIT_S,
            )
    finally:
        if ours:
            run([*as_root, "rm", "-f", str(POLICY)], 10)


def main() -> int:
    """Install what is missing, if we may. Always 0."""
    packages = missing()
    if not packages:
        return 0
    if not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        say(f"{', '.join(packages)} missing, and this is not Debian: the tests that need them will be skipped, loudly")
        return 0
    as_root = root()
    if as_root is None:
        say(
            f"{', '.join(packages)} missing and no root: run `sudo apt-get install --no-install-recommends {' '.join(packages)}`"
        )
        return 0
    say(f"installing {', '.join(packages)} from Debian (services stay down)")
    install(packages, as_root)
    left = missing()
    say(f"still missing: {', '.join(left)}" if left else "all there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
