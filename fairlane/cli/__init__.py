"""The one command line."""


def main() -> None:
    """Run the command line."""
