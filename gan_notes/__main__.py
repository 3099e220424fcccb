"""``python -m gan_notes``: rerun a notebook, its parameters checked first.

python -m gan_notes run NOTEBOOK OUTPUT -p steps 500 -p seed 1
"""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 1 after one line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m gan_notes")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run", help="execute a notebook by papermill, parameters checked first"
    )
    run.add_argument("notebook")
    run.add_argument("output", help="where the executed notebook is written")
    take_parameters(run)
    options = parser.parse_args(arguments)
    from gan_notes import notebooks

    try:
        notebooks.run(options.notebook, options.output, dict(options.parameters))
    except (ValueError, RuntimeError, ModuleNotFoundError) as error:
        print(f"gan_notes: {error}", file=sys.stderr)
        return 1
    return 0


def take_parameters(parser: argparse.ArgumentParser) -> None:
    """Let a command take ``-p NAME VALUE``, any number of times."""
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter of the notebook; may be repeated",
    )


if __name__ == "__main__":
    sys.exit(main())
