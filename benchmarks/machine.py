"""Facts about the machine and the process that are noted beside every measurement. It imports no framework."""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "jax", "jaxlib", "flax", "optax", "torch", "array-api-compat", "pyod", "scikit-learn", "scipy")
FLAGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XLA_FLAGS", "JAX_PLATFORMS")
ROOT = Path(__file__).parent.parent
IDENTITY = ("name", "family", "model", "stepping", "caches", "hypervisor", "blas")  # what makes two machines one
CPUID = {"family": "cpu family", "model": "model", "stepping": "stepping"}
BUSY = 0.5  # a load average per core above this means that other programs disturb the measurements


def facts() -> dict[str, Any]:
    """Returns facts about the processor, cores, memory and system. `name` is short and stands in every record."""
    cpu, cores, memory = _processor(), available_cores(), _memory()
    gpu = _gpu()
    name = f"{cpu}, {cores} cores" + (f", {gpu}" if gpu else "")
    return {
        "name": name, "cpu": cpu, "cores": cores, "memory": memory, "gpu": gpu, "system": platform.platform(),
        "python": platform.python_version(), "instructions": _instructions(), "commit": _commit(),
        **{name: _line("/proc/cpuinfo", rf"{words}\s*:\s*(.+)") for name, words in CPUID.items()},
        "caches": _caches(), "hypervisor": _hypervisor(), "blas": _blas(),
    }  # fmt: skip


def available_cores() -> int:
    """Returns how many cores this process may use."""
    return len(cores())


def cores() -> list[int]:
    """Returns the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def load_average() -> float | None:
    """Returns how many processes wanted a core in the last minute, on average; None if the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def versions() -> dict[str, str]:
    """Returns the versions of Python and of those packages that matter and are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def pin(chosen: list[int]) -> None:
    """Keeps this process on these cores, where the system can do so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, chosen)


def flags() -> dict[str, str]:
    """Returns the environment variables of this process that decide about threads and devices."""
    return {name: os.environ[name] for name in FLAGS if name in os.environ}


def thread_environment(threads: int, cores_here: int) -> dict[str, str]:
    """Returns the environment variables that hold every library of a child process to `threads` threads."""
    count = str(threads)
    environment = {f"{prefix}_NUM_THREADS": count for prefix in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")}
    flags = os.environ.get("XLA_FLAGS", "").split()  # the caller's stay
    if threads == 1 and cores_here > 1:  # an unknown flag would end the parsing: all after it would be lost
        flags.append("--xla_cpu_multi_thread_eigen=false")
    return environment | {"XLA_FLAGS": " ".join(flags), "PYTHONHASHSEED": "0"}


def resident() -> int | None:
    """Returns how many bytes of this process are in memory now; None if the system does not say."""
    return _status("VmRSS")


def peak_resident() -> int | None:
    """Returns the most bytes of this process that were in memory at once, since its start or since `reset_peak`."""
    return _status("VmHWM")


def reset_peak() -> bool:
    """Makes `peak_resident` count from now on; returns False where the system cannot do so."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _status(field: str) -> int | None:
    found = _line("/proc/self/status", rf"{field}:\s+(\d+) kB")
    return int(found) * 1024 if found else None


def _processor() -> str:
    return _line("/proc/cpuinfo", r"model name\s*:\s*(.+)") or platform.processor() or platform.machine()


def _instructions() -> list[str]:
    """The vector instruction sets, which decide the sgemm rate."""
    found = (_line("/proc/cpuinfo", r"flags\s*:\s*(.+)") or "").split()
    return [flag for flag in ("avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile") if flag in found]


def _line(path: str, pattern: str) -> str | None:
    """The group of the pattern in the first line that matches it; None if there is no such line or file."""
    try:
        found = re.search(f"^{pattern}$", Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return found[1].strip() if found else None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _gpu() -> str | None:
    return _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")


def _caches() -> dict[str, str]:
    """The sizes of the caches of the first core, by level and kind."""
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        found[f"L{level} {kind.lower()}"] = size
    return found


def _hypervisor() -> str | None:
    """What runs this virtual machine; None on bare metal or where the system does not say."""
    for path in ("/sys/hypervisor/type", "/sys/class/dmi/id/sys_vendor"):
        if (name := _line(path, "(.+)")) is not None and "hypervisor" in (_line("/proc/cpuinfo", "flags(.+)") or ""):
            return name
    return "unnamed" if "hypervisor" in (_line("/proc/cpuinfo", "flags(.+)") or "") else None


def _blas() -> dict[str, str]:
    """The builds of the libraries that multiply matrices. Another process answers: none is imported here."""
    question = (
        "import importlib.util as u, json, numpy\n"
        "blas = numpy.show_config(mode='dicts').get('Build Dependencies', {}).get('blas', {})\n"
        "found = {'numpy': ' '.join(str(blas.get(n, '')) for n in ('name', 'version', 'openblas configuration'))}\n"
        "if u.find_spec('torch'):\n"
        "    import torch\n"
        "    found['torch'] = '; '.join(line.strip(' -') for line in torch.__config__.show().split('\\n')\n"
        "                               if any(w in line for w in ('MKL', 'BLAS', 'OpenMP', 'CPU capability'))\n"
        "                               and 'Build settings' not in line)\n"
        "print(json.dumps(found))\n"
    )
    found: dict[str, str] = json.loads(_output(sys.executable, "-c", question, timeout=60) or "{}")
    return found


def _commit() -> str | None:
    """The commit; that of a tree with changes says so, with a digest of them."""
    commit = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    if not commit or not _output("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"):
        return commit
    changes = _whole_output("git", "-C", str(ROOT), "diff", "HEAD") or ""
    return f"{commit} with changes {hashlib.sha256(changes.encode()).hexdigest()[:8]}"


def _output(*command: str, timeout: float = 10) -> str | None:
    """The first line of what a command prints."""
    whole = _whole_output(*command, timeout=timeout)
    return (whole or "").strip().split("\n")[0] or None


def _whole_output(*command: str, timeout: float = 10) -> str | None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True, errors="replace")
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout


def command_line() -> str:
    """Returns the command that started this process, as a reader would type it."""
    return " ".join(["python -m benchmarks", *sys.argv[1:]])
