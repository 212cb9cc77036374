"""What is installed: `twinvae` and the two backends, and nothing by a name that a user's own folder may have."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tests.conftest import PATH, ROOT

OWN = {"twinvae", "vae_jax", "vae_torch"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from an sdist, as an installer does without network."""
    folder = tmp_path_factory.mktemp("package")
    (packed,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    (built,) = WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"])
    return Path(built)


def test_a_wheel_from_an_sdist_holds_every_file_of_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {"twinvae": ROOT / "shared" / "twinvae", "vae_jax": ROOT / "vae_jax", "vae_torch": ROOT / "vae_torch"}
    wanted = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in sources.items()
        for path in folder.rglob("*")
        if path.suffix in (".py", ".typed", ".css", ".js")
    }
    assert files == wanted
    assert {name.split("/")[0] for name in files} == OWN


def in_a_folder_with_a_package_shared(folder: Path, path: str, code: str) -> str:
    (folder / "shared").mkdir()
    (folder / "shared" / "__init__.py").write_text("raise RuntimeError('the user\\'s own package')")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LOADED = """
import sys, twinvae, vae_jax, vae_torch
assert vae_jax.VAEDetector(window=5, epochs=1).fit([0.0, 1.0, 2.0] * 20).events([0.0, 1.0, 2.0] * 20) == []
assert "shared" not in sys.modules
print(twinvae.__file__)
"""


@pytest.mark.slow  # the next test has the same with the wheel
def test_a_user_s_own_package_shared_is_no_obstacle(tmp_path: Path) -> None:
    found = in_a_folder_with_a_package_shared(tmp_path, PATH, LOADED)
    assert Path(found) == ROOT / "shared" / "twinvae" / "__init__.py"


def test_the_wheel_works_beside_a_user_s_own_package_shared(wheel: Path, tmp_path: Path) -> None:
    found = in_a_folder_with_a_package_shared(tmp_path, str(wheel), LOADED)
    assert found.startswith(str(wheel))


def test_the_public_names_are_those_that_are_listed(tmp_path: Path) -> None:
    import twinvae

    assert sorted(twinvae.__all__) == twinvae.__all__ == sorted(twinvae._HOME)
    for name in twinvae.__all__:
        assert getattr(twinvae, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'detector_of'"):
        _ = twinvae.detector_of


def test_importing_twinvae_imports_nothing_heavy() -> None:
    code = "import sys, twinvae; print(*(m for m in ('numpy', 'jax', 'torch', 'polars') if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": PATH}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
