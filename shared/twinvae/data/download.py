"""Public data sets fetched on request, never otherwise: every file is held to its SHA-256."""

import zipfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from twinvae.files.atomic import check_outputs, new_folder

NAB_COMMIT = "ea702d75cc2258d9d7dd35ca8e5e2539d71f3140"
SKAB_COMMIT = "b2c0d46c2971dcbfe71e26087b6d231998bb91c2"
ARCHIVE = ".zip"


class Download(NamedTuple):
    """A data set of the web: the address that all files share, and the SHA-256 of each.

    >>> from twinvae.data.download import DOWNLOADS
    >>> DOWNLOADS["nab"].licence, len(DOWNLOADS["nab"].files)
    ('MIT', 5)
    """

    title: str
    licence: str
    base: str
    files: dict[str, str]  # path below the base -> SHA-256; an archive is unpacked


# The sums are those that independent projects publish for these files at this commit: at least two agree on each.
# That of the labels was also computed here, from their text.
NAB_SERIES = {
    "ambient_temperature_system_failure": "230b68ccca20f59d562afd5d24ad52939c9b784386bed0054018358bf9120581",
    "cpu_utilization_asg_misconfiguration": "58ba65dc0737cfbac11b51514476d50c438d44011232144bb8d93f392df58f9f",
    "ec2_request_latency_system_failure": "98378580aa80157e057c61d59d81daddccc6c65a2c0c800e3f01f603b8215c3f",
    "machine_temperature_system_failure": "92bf5b87fc7f9bba8ca0b7ec63ccaac8cb4a1371a258e8c29a10ae9c018d82a4",
}
DOWNLOADS = {
    "nab": Download(
        "four series with known causes of the Numenta Anomaly Benchmark (the whole of it: clone numenta/NAB)",
        "MIT",
        f"https://raw.githubusercontent.com/numenta/NAB/{NAB_COMMIT}/",
        {"labels/combined_windows.json": "1e1fbc4601321aad8d0f8b3784c8134299379f68f6c1f7777565f8ffd57ab6b1"}
        | {f"data/realKnownCause/{name}.csv": sha256 for name, sha256 in NAB_SERIES.items()},
    ),
    "skab": Download(
        "the Skoltech Anomaly Benchmark, 34 labelled experiments on a water circuit",
        "GPL-3.0",
        "https://github.com/waico/SKAB/archive/",
        {f"{SKAB_COMMIT}{ARCHIVE}": "45ac11b460e495ba2c1301c3f8e871b688b5ecfa6cd0770b4225594fe45efc80"},
    ),
}


def _pooch() -> Any:
    try:
        return import_module("pooch")
    except ModuleNotFoundError:
        raise ValueError("downloads need pooch: pip install 'twinvae[datasets]'") from None


def cache_folder() -> Path:
    """Where downloads are kept unless told otherwise: the user's cache. A ValueError says if pooch is not installed.

    >>> from twinvae.data.download import cache_folder
    >>> cache_folder().name
    'twinvae'
    """
    return Path(_pooch().os_cache("twinvae"))


def download(name: str, cache: Path | None = None) -> Path:
    """Fetches what is not yet there or is damaged, and returns the folder of the data set.

    A file has its name only when it is whole and its SHA-256 is right.

    Raises:
        ValueError: if a file cannot be fetched or is not the expected one, or pooch is not installed.
        OSError: if the folder cannot be written.

    Example:
        >>> from twinvae.data.download import download
        >>> folder = download("nab")  # doctest: +SKIP
    """
    pooch, folder = _pooch(), (cache or cache_folder()) / name
    from requests.exceptions import RequestException  # pooch needs it

    pooch.get_logger().setLevel("WARNING")
    with ExitStack() as new:
        wanted = [target for path in DOWNLOADS[name].files if not (target := folder / path).is_file()]
        for parent in sorted({target.parent for target in wanted}):
            new.enter_context(new_folder(parent))
        check_outputs(wanted)
    for path, sha256 in DOWNLOADS[name].files.items():
        url, target = DOWNLOADS[name].base + path, folder / path
        unpack = _unpack if path.endswith(ARCHIVE) else None
        try:
            pooch.retrieve(url, f"sha256:{sha256}", target.name, target.parent, processor=unpack)
        except RequestException as error:
            raise ValueError(f"{url}: cannot be fetched: {_reason(error)}") from None
        except ValueError:
            raise ValueError(f"{url}: not the expected file (its SHA-256 is another): nothing of it was kept") from None
    return folder


def downloaded(name: str, cache: Path | None = None) -> list[Path]:
    """The series of a data set that was fetched before; a ValueError says if it is not there as a whole.

    >>> from pathlib import Path
    >>> from twinvae.data.download import downloaded
    >>> downloaded("nab", cache=Path("nothing-here"))
    Traceback (most recent call last):
    ValueError: the data set nab is not in nothing-here: twinvae download nab
    """
    folder = (cache or cache_folder()) / name
    files = [folder / path for path in DOWNLOADS[name].files]
    if any(file.suffix == ARCHIVE for file in files):
        series = sorted((folder / "data").rglob("*.csv"))
    else:
        series = [file for file in files if file.suffix == ".csv"]
    if not series or not all(file.is_file() for file in files):
        raise ValueError(f"the data set {name} is not in {folder.parent}: twinvae download {name}")
    return series


def _unpack(archive: str, action: str, _: object) -> str:
    """Unpacks the folder `data` of an archive of a repository beside it, whole or not at all."""
    folder = Path(archive).parent
    if action == "fetch" and (folder / "data").is_dir():
        return archive
    with TemporaryDirectory(dir=folder, prefix=".data-") as temporary:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(temporary, [name for name in packed.namelist() if name.split("/")[1:2] == ["data"]])
        rmtree(folder / "data", ignore_errors=True)
        next(Path(temporary).glob("*/data")).rename(folder / "data")
    return archive


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return "no connection" if response is None else f"{response.status_code} {response.reason}"
