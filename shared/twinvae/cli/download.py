"""`twinvae download`: fetches a public data set."""

import argparse
from pathlib import Path

from twinvae.cli.text import print_result
from twinvae.data.download import DOWNLOADS, download


def options(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("name", nargs="?", choices=tuple(DOWNLOADS), metavar="NAME", help=", ".join(DOWNLOADS))
    wanted.add_argument("--list", action="store_true", help="say what there is, with its licence")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where to keep it; default: the user's cache")


def run(options: argparse.Namespace) -> None:
    """Fetches a set, or lists those that there are."""
    if options.list:
        sets = {name: {"title": found.title, "licence": found.licence} for name, found in DOWNLOADS.items()}
        lines = [f"{name:6}{found['licence']:9}{found['title']}" for name, found in sets.items()]
        print_result(options, sets, "\n".join(lines))
        return
    folder = download(options.name, options.cache)
    print_result(options, {"name": options.name, "folder": str(folder)}, f"{options.name} is in {folder}")
