"""Runs everything on this machine, in the foreground: `python -m deployments.local`."""

import argparse
import signal
import sys

CANNOT_START = 2


def main() -> int:
    """The exit code: 0 stopped because asked, 1 a part kept dying or can't run with these settings, 2 nothing was started."""
    parser = argparse.ArgumentParser(prog="python -m deployments.local", description=__doc__)
    parser.add_argument("--with-parent", action="store_true", help="stop when the process that started this one ends")
    with_parent: bool = parser.parse_args().with_parent
    if sys.version_info < (3, 11):  # noqa: UP036 - somebody may have started another Python than the one of the project
        return _refuse(f"Python 3.11 or newer is needed, {sys.executable} is {sys.version.split()[0]}")
    # Not before the check: an older Python can't read these.
    from deployments.leash import die_with_parent
    from deployments.one_machine import run
    from deployments.refusal import CannotStart

    if with_parent:
        die_with_parent(signal.SIGTERM)
    try:
        return run()
    except CannotStart as reason:
        return _refuse(str(reason))


def _refuse(reason: str) -> int:
    print(f"Groundwork can't start: {reason}", file=sys.stderr)
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
