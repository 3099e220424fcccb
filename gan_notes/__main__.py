"""``python -m gan_notes``: rerun a notebook, or draw from a shipped generator.

python -m gan_notes run NOTEBOOK OUTPUT -p steps 500 -p seed 1
python -m gan_notes generate NAME --n 1000 --seed 0 --output FILE
python -m gan_notes generate --list
"""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 1 after one line that says what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m gan_notes")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser(
        "run", help="execute a notebook by papermill, parameters checked first"
    )
    run.add_argument("notebook")
    run.add_argument("output", help="where the executed notebook is written")
    take_parameters(run)
    run.set_defaults(command=_run)
    generate = commands.add_parser(
        "generate", help="draw windows or images from a shipped generator"
    )
    generate.add_argument("name", nargs="?", help="of shipped weights")
    generate.add_argument("--list", action="store_true", help="list the generators")
    generate.add_argument("--n", type=int, default=1000, help="how many (1000)")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument(
        "--values",
        choices=["returns", "prices"],
        default="returns",
        help="day-to-day changes, or prices from the last training day on",
    )
    generate.add_argument("--output", help="a file: .parquet, .csv or .npy")
    generate.set_defaults(command=_generate)
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, RuntimeError, ModuleNotFoundError, OSError) as error:
        print(f"gan_notes: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    from gan_notes import notebooks

    notebooks.run(options.notebook, options.output, dict(options.parameters))


def _generate(options: argparse.Namespace) -> None:
    """Draw from a shipped generator, or list them."""
    if options.list:
        from gan_notes.models import pretrained

        print(*pretrained.generators(), sep="\n")
        return
    if not options.name or not options.output:
        raise ValueError("generate: give a NAME of --list, and --output FILE.")
    from gan_notes.data import synthetic

    path = synthetic.check_path(options.output)
    from gan_notes import notebooks

    notebooks.threads(recurrent=True)
    from gan_notes.models import pretrained

    x, tickers = pretrained.draw(
        options.name, options.n, seed=options.seed, values=options.values
    )
    synthetic.write(path, x, tickers)
    print(f"{path}: {len(x):,} samples of {' x '.join(map(str, x.shape[1:]))}")


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
