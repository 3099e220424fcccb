"""``python -m gan_notes``: rerun a notebook with checked parameters, or ship weights.

python -m gan_notes run NOTEBOOK OUTPUT -p steps 500 -p seed 1
python -m gan_notes ship NOTEBOOK -p steps 20000
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
    ship = commands.add_parser(
        "ship", help="train a notebook's models and keep their weights in the package"
    )
    ship.add_argument("notebook")
    for command in (run, ship):
        command.add_argument(
            "-p",
            dest="parameters",
            nargs=2,
            action="append",
            default=[],
            metavar=("NAME", "VALUE"),
            help="a parameter of the notebook; may be repeated",
        )
    options = parser.parse_args(arguments)
    parameters = dict(options.parameters)
    from gan_notes import notebooks

    try:
        if options.command == "run":
            notebooks.run(options.notebook, options.output, parameters)
        else:
            print(*notebooks.ship(options.notebook, parameters))
    except (ValueError, ModuleNotFoundError) as error:
        print(f"gan_notes: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
