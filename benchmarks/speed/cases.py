"""The cases: what is measured, with which implementations, with how many threads and how often."""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.speed.implementations import IMPLEMENTATIONS, PRODUCT, SCORERS, keeps_programs

EAGER, COMPILED = ("torch-loop", "torch-eager"), ("torch-step", "torch-whole", "torch-compiled", "jax-step", "jax-run")
MODES = ("torch-overhead", "torch-autotune")
CONTROLS = ("torch-again", "jax-again")
EVERY = ("tutorial", "pyod", "pyod-same-size", *EAGER, *COMPILED, *MODES, *CONTROLS)
NO_PYOD = ("tutorial", *EAGER, *COMPILED)

ONE, ALL = "one", "all"


@dataclass(frozen=True)
class Case:
    """A question that the benchmark answers. `measure` names the function of `process.measures` that measures it."""

    name: str
    title: str
    measure: str
    implementations: tuple[str, ...]
    threads: tuple[str, ...] = (ONE,)
    rounds: int = 5  # fresh processes for each implementation
    fewer_rounds: dict[str, int] = field(default_factory=dict)  # of slow ones that decide nothing: without an interval
    quick: tuple[str, ...] = ()  # the implementations of a quick run
    quick_rounds: int = 1
    quick_threads: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    quick_options: dict[str, Any] = field(default_factory=dict)
    both_caches: bool = False  # also with a compilation cache that an earlier process has filled
    device: str | None = None  # the only device on which the case is measured
    by_name: bool = False  # measured only where it is asked for, since it takes long


@dataclass(frozen=True)
class Job:
    """One measurement, which runs in a fresh process of its own."""

    case: str
    implementation: str
    threads: int
    device: str
    round: int
    cache: str
    quick: bool

    @property
    def key(self) -> str:
        """The key of this job in a results file."""
        parts = (self.case, self.implementation, self.threads, self.device, self.cache, self.round)
        return "/".join(map(str, parts))


_CASES = (
    Case(
        "roofline", "Rate of large matrix products: what the machine can do at most", "roofline",
        ("numpy", "torch-eager", "jax-run"), threads=(ONE, ALL), rounds=2,
        quick=("numpy", "torch-eager", "jax-run"), quick_threads=(ONE,),
    ),
    Case(
        "fit", "The tutorial's job (451 windows of 50, batch 32, 1,500 steps), warm, in one process", "fit",
        EVERY, quick=("tutorial", *PRODUCT, *CONTROLS),
        fewer_rounds={
            "pyod": 2, "pyod-same-size": 1, "torch-whole": 1, "torch-overhead": 1, "torch-autotune": 1,
        },
    ),
    Case(
        "cold", "Fresh process from its start to scores in hand, no pictures", "cold",
        ("tutorial", "pyod", *PRODUCT), threads=(ALL,), both_caches=True, fewer_rounds={"pyod": 1},
        quick=("tutorial", "torch-eager", "jax-run"), quick_threads=(ALL,),
    ),
    Case(
        "quality", "Time to a quality: a loss on the tutorial's job, a VUS-PR on ucr-135 with the default preset",
        "quality", PRODUCT,
        options={
            "loss": 7.5, "series": "ucr-135", "vus_pr": 0.5,
            "epochs": [20, 40, 60, 80, 100, 150, 200],
        },
    ),
    Case(
        "window", "One window at a time: a sensor's next point", "window",
        ("tutorial", "pyod", *SCORERS), quick=SCORERS,
        fewer_rounds={"pyod": 1}, options={"samples": 3000, "fewer": {"pyod": 1500}}, quick_options={"samples": 2000},
    ),
    Case(
        "stream", "A stream's next point, in a process without a framework; peers score its window", "stream",
        ("numpy", "torch-eager", "jax-run"),
        options={"samples": 1000, "sizes": [[64, 1], [64, 8], [256, 1], [256, 8]]},
    ),
    Case(
        "watch", "Points from a pipe to a pipe through twinvae watch", "watch",
        ("numpy",), threads=(ALL,),
        options={"points": 50_000, "size": [64, 1], "runs": 1},
    ),
    Case(
        "fleet", "Many series, a model each: a model's share of the fleet beside the single fit", "fleet",
        ("torch-eager", "jax-run"), threads=(ONE, ALL), rounds=1, by_name=True,
        options={
            "series": 1000, "points": 2000, "on_one_core": 64, "alone": 5, "warm": 4,
            "presets": ["tutorial", "auto"],
            "epochs": None,  # as many as the preset has
        },
        quick_options={"series": 32, "on_one_core": 8, "alone": 2, "presets": ["tutorial"], "epochs": 10},
    ),
    Case(
        "fleet-size", "Models a second against the size of the fleet", "fleet_size",
        ("torch-eager", "jax-run"), threads=(ALL,), rounds=1, device="gpu",
        options={"values": [1, 10, 100, 1000, 10_000], "points": 2000, "together": 1024},
    ),
    Case(
        "recompile", "A second fit and score with other data of the same shape", "recompile",
        (*PRODUCT, "jax-step"), rounds=1,
    ),
    Case(
        "score", "Scores of a long series, and the memory they take", "score",
        ("tutorial", "pyod", *SCORERS), quick=SCORERS, fewer_rounds={"tutorial": 1, "pyod": 2},
        options={"points": 10**7, "fewer": {"tutorial": 10**5, "pyod": 5 * 10**4}},
        quick_options={"points": 10**6},
    ),
    Case(
        "score-long", "Scores of 100 million points on a GPU", "score",
        ("torch-eager", "jax-run"), threads=(ALL,), rounds=1, device="gpu", options={"points": 10**8},
    ),
    Case(
        "train-memory", "One epoch on 10 million points, batch 1024: time and memory", "train_memory",
        PRODUCT, threads=(ALL,), rounds=1, options={"points": 10**7}, by_name=True,
    ),
    Case(
        "points", "Scoring by length of the series", "sweep_points",
        ("tutorial", "pyod", *SCORERS), rounds=1, by_name=True,
        options={"values": [10**3, 10**4, 10**5, 10**6, 10**7], "largest": {"tutorial": 10**5, "pyod": 10**5}},
        quick_options={"values": [10**3, 10**4, 10**5, 10**6]},
    ),
    Case(
        "batch", "A training step by batch size", "sweep_training", NO_PYOD, rounds=1, by_name=True,
        options={"axis": "batch_size", "values": [32, 128, 512, 2048, 8192]},
    ),
    Case(
        "hidden", "A training step by hidden units", "sweep_training", NO_PYOD, rounds=1, by_name=True,
        options={"axis": "hidden_dim", "values": [32, 64, 128, 256, 512, 1024]},
    ),
    Case(
        "window-length", "A training step by window length", "sweep_training", NO_PYOD, rounds=1, by_name=True,
        options={"axis": "window", "values": [25, 50, 100, 200, 400]},
    ),
    Case(
        "channels", "A training step by channels", "sweep_training", NO_PYOD, rounds=1, by_name=True,
        options={"axis": "channels", "values": [1, 4, 16, 64]},
    ),
    Case(
        "map", "Who wins: a training step by batch, hidden units and channels", "sweep_sizes",
        ("torch-eager", "torch-compiled", "jax-step", "jax-run"), fewer_rounds={"jax-step": 2},
        options={
            "axis": "size",
            "values": [
                *([batch, hidden, 1] for hidden in (32, 512, 2048) for batch in (32, 512, 2048)), [512, 2048, 16],
            ],
        },
    ),
    Case(
        "threads", "A training step and a scored point by threads", "threads",
        ("tutorial", *SCORERS), threads=("each",), rounds=1, by_name=True,
        options={"points": 10**6, "fewer": {"tutorial": 10**4}},
    ),
    Case(
        "transfer", "A series of 10 million points to the device and back", "transfer",
        ("torch-eager", "jax-run"), threads=(ALL,), rounds=3, options={"points": 10**7}, device="gpu",
        quick=("torch-eager", "jax-run"), quick_threads=(ALL,),
    ),
)  # fmt: skip
CASES: dict[str, Case] = {case.name: case for case in _CASES}


def jobs(
    case: Case, *, implementations: tuple[str, ...], threads: tuple[int, ...], cores: int, device: str, quick: bool,
    rounds: int | None = None,
) -> list[Job]:  # fmt: skip
    """Returns the jobs of a case in the order in which they run.

    Implementations take turns (A B A B), so that what drifts in the machine changes all of them alike.

    `implementations`, in this order, and `threads` restrict what the case asks for, unless they are empty.
    """
    if case.device not in (None, device) or (quick and not case.quick):
        return []
    names = [name for name in case.implementations if not quick or name in case.quick]
    chosen = [name for name in implementations or names if name in case.implementations]
    counts = _threads(case.quick_threads or case.threads if quick else case.threads, cores)
    if device == "gpu":  # the cores only compile and launch
        counts = [cores]
    if threads:
        counts = [count for count in counts if count in threads]
    repeats = case.quick_rounds if quick else case.rounds
    return [
        Job(case.name, name, count, device, turn, cache, quick)
        for turn in range(rounds or repeats)
        for count in counts
        for name in chosen
        if turn < (rounds or case.fewer_rounds.get(name, repeats)) and _wanted(name, turn, device, quick)
        for cache in _caches(case, name, turn)
    ]


def _threads(names: tuple[str, ...], cores: int) -> list[int]:
    if names == ("each",):
        return sorted({1, cores, *(2**i for i in range(1, 12) if 2**i < cores)})
    return sorted({1 if name == ONE else cores for name in names})


def _wanted(name: str, turn: int, device: str, quick: bool) -> bool:
    if name == "numpy":
        return device == "cpu"
    slow = name.startswith("pyod")
    return IMPLEMENTATIONS[name].device in (None, device) and not (quick and slow and turn > 0)


def _caches(case: Case, name: str, turn: int) -> tuple[str, ...]:
    """Which compilation caches a process finds on disk: none, or what an earlier process left there.

    PyTorch compiles in the first process of a case alone, which is timed; every case would take minutes otherwise.
    """
    if keeps_programs(name) and turn:
        return ("warm",)
    return ("cold", "warm") if case.both_caches and (keeps_programs(name) or name == "jax-run") else ("cold",)
