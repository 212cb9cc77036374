"""Prints what a GPU's run depends on: versions, devices, the driver, and what is missing. Run it as a module."""

import importlib.metadata
import importlib.util
import platform
import subprocess
import sys

PACKAGES = (  # without bokeh the results are measured all the same, and their page is made elsewhere
    *("jax", "jaxlib", "flax", "optax", "torch", "triton", "numpy", "safetensors", "jaxtyping", "filelock", "bokeh"),
)
NEEDED = (
    "array_api_compat",
    "filelock",
    "jaxtyping",
    "numpy",
    "safetensors",
    "scipy",
    "pytest",
    "hypothesis",
    "beartype",
)


def main() -> int:
    """Returns 0, or 1 if a needed package is missing."""
    print(f"Python {platform.python_version()} on {platform.platform()}")
    for name in PACKAGES:
        try:
            print(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"{name} is not installed")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"missing: {', '.join(missing)}: put their wheels into a folder and name it in --wheels")
    for question in (
        "import jax; print('JAX sees', jax.devices())",
        "import torch; n = torch.cuda.device_count(); "
        "print('PyTorch sees', [torch.cuda.get_device_name(i) for i in range(n)] or 'no GPU')",
    ):
        done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False)
        print(done.stdout.strip() or done.stderr.strip().splitlines()[-1])
    try:
        subprocess.run(["nvidia-smi"], check=False)
    except OSError:
        print("nvidia-smi is not there")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
