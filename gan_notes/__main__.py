"""``python -m gan_notes``: rerun a notebook, once or often, draw samples, judge them.

python -m gan_notes run NOTEBOOK OUTPUT -p steps 500 -p seed 1
python -m gan_notes sweep NOTEBOOK grid.yaml --output DIR --workers 2
python -m gan_notes generate NAME --n 1000 --seed 0 --output FILE
python -m gan_notes generate --list
python -m gan_notes score SYNTHETIC --real PRICES --quick --output DIR
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 1 after one line that says what is wrong.

    A sweep returns 1 too where a run failed, and 130 where it was interrupted.
    """
    parser = argparse.ArgumentParser(prog="python -m gan_notes")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser(
        "run", help="execute a notebook by papermill, parameters checked first"
    )
    run.add_argument("notebook")
    run.add_argument("output", help="where the executed notebook is written")
    take_parameters(run)
    run.set_defaults(command=_run)
    swept = commands.add_parser(
        "sweep", help="execute a notebook for each set of a grid, side by side"
    )
    swept.add_argument("notebook")
    swept.add_argument("grid", help="YAML: product, sets, or both")
    swept.add_argument("--output", required=True, help="a folder, or s3://, gs://, ...")
    where = swept.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="runs side by side on this machine")
    where.add_argument("--scheduler", default="", help="of a Dask cluster: tcp://...")
    swept.add_argument("--gpu", action="store_true", help="each run takes a GPU")
    swept.add_argument("--resume", action="store_true", help="skip what is finished")
    swept.add_argument("--retries", type=int, default=0, help="of a failed run (0)")
    swept.add_argument("--timeout", type=float, help="seconds that a run may take")
    swept.add_argument("--dry-run", action="store_true", help="check, and run nothing")
    swept.set_defaults(command=_sweep)
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
    judged = commands.add_parser(
        "score", help="judge synthetic windows beside real days and baselines"
    )
    judged.add_argument("synthetic", help="Parquet, CSV (window, day, tickers) or .npy")
    judged.add_argument(
        "--real", required=True, help="prices: a file, or sample, or yahoo"
    )
    judged.add_argument("--tickers", default="", help="with commas; default: all")
    judged.add_argument(
        "--values",
        choices=["returns", "prices", "levels"],
        default="returns",
        help="what the synthetic windows hold (default: returns)",
    )
    judged.add_argument("--seed", type=int, default=0)
    judged.add_argument("--quick", action="store_true", help="a minute's look")
    judged.add_argument("--output", required=True, help="folder of the results")
    judged.set_defaults(command=_score)
    options = parser.parse_args(arguments)
    try:
        return options.command(options) or 0
    except (ValueError, RuntimeError, ModuleNotFoundError, OSError) as error:
        print(f"gan_notes: {error}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def _extra(command: str) -> Iterator[None]:
    """Say how what a command needs is installed, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{command}: {error.name} is not installed; pip install 'gan-notes[sweep]'."
        ) from error


def _run(options: argparse.Namespace) -> None:
    from gan_notes import notebooks

    with _extra("run"):
        notebooks.run(options.notebook, options.output, dict(options.parameters))


def _sweep(options: argparse.Namespace) -> int:
    """Sweep, say what came of it, and return the exit code."""
    given = dict(vars(options))
    del given["command"]
    with _extra("sweep"):
        from gan_notes import sweep

        made = sweep.sweep(**given)
    count = made.runs["state"].value_counts().get
    print(
        f"{len(made.runs):,} runs: {count('finished', 0):,} finished, "
        f"{count('failed', 0):,} failed, {count('waiting', 0):,} waiting"
    )
    if options.dry_run:
        return 0
    for _, run in made.failed.iterrows():
        print(f"{run['run']} failed: {run['error']}", file=sys.stderr)
    if made.stopped:
        print(f"stopped: {made.stopped}; go on by --resume", file=sys.stderr)
    print(f"{options.output}/report.html")
    if made.stopped == sweep.INTERRUPTED:
        return 130
    return 0 if made.complete else 1


def _generate(options: argparse.Namespace) -> None:
    """Draw from a shipped generator, or list them."""
    if options.list:
        from gan_notes.models import pretrained

        print(*pretrained.generators(), sep="\n")
        return
    if not options.name or not options.output:
        raise ValueError("generate: give a NAME of --list, and --output FILE.")
    from gan_notes.data import exchange

    path = exchange.check_path(options.output)
    from gan_notes import notebooks

    notebooks.threads(recurrent=True)
    from gan_notes.models import pretrained

    x, tickers = pretrained.draw(
        options.name, options.n, seed=options.seed, values=options.values
    )
    exchange.write_windows(x, path, tickers)
    print(f"{path}: {len(x):,} samples of {' x '.join(map(str, x.shape[1:]))}")


def _score(options: argparse.Namespace) -> None:
    """Write ``scorecard.csv``, ``.parquet`` and ``.html``, and show the table.

    The real prices are split in time as everywhere: `make_windows`.
    """
    from gan_notes import notebooks

    made = notebooks.folders({"output_dir": options.output})
    notebooks.threads(recurrent=True)
    from gan_notes import load_prices, make_windows
    from gan_notes.data import transforms
    from gan_notes.data.exchange import read_windows

    positive = options.values != "levels"
    prices = load_prices(options.tickers, source=options.real, positive=positive)
    synthetic = read_windows(options.synthetic, list(prices))
    if synthetic.ndim != 3:
        raise ValueError(
            f"{Path(options.synthetic).name}: shape {synthetic.shape} is not "
            "(n, length, features); give windows."
        )
    returns = options.values == "returns"
    windows = make_windows(
        prices,
        sequence_length=synthetic.shape[1],
        transform="log_returns" if returns else "levels",
    )
    real = [windows.train_prices, windows.test_prices]
    if returns:
        real = [transforms.changes(x, windows.transform.signed) for x in real]
    from gan_notes.evaluation import scorecard

    notebooks.repeatable(options.seed)
    card = scorecard.scorecard(
        *real,
        {Path(options.synthetic).stem: synthetic},
        values=options.values,
        tickers=windows.tickers,
        train_dates=windows.train_dates,
        test_dates=windows.test_dates,
        seed=options.seed,
        quick=options.quick,
    )
    folder = Path(made["output_dir"])
    card.to_csv(folder / "scorecard.csv", index=False)
    card.to_parquet(folder / "scorecard.parquet", index=False)
    shown = scorecard.table(card)
    shown.to_html(folder / "scorecard.html")
    print(shown.to_string())


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
