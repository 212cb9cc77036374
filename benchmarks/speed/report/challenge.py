"""The page for a doubter: how the comparison could be wrong, how each was excluded, and how to see for oneself."""

from benchmarks.speed.implementations import IMPLEMENTATIONS
from benchmarks.speed.report import answer
from benchmarks.speed.report.noise import controls, noise_floor
from benchmarks.speed.report.summary import seconds
from benchmarks.speed.results import Results, Table
from twinvae.pages.document import document
from twinvae.pages.markup import as_html, as_table

RUN = "python -m benchmarks run"


def page(results: Results, source: str) -> str:
    """Returns the page. Its numbers are those of this run."""
    rows = objections(results)
    title = "How this could be wrong"
    head = ("the objection", "how it was excluded, with this run's numbers", "how to see for oneself")
    table = Table(results.records)
    parts = [
        f"<p>{as_html(results.machine['name'])}, commit {as_html(str(results.machine.get('commit')))}, "
        f"{as_html(results.command)}; raw samples in {as_html(source)}. A short run: it shows the method and noise; "
        "its ratios are no result to quote.</p>",
        "<h2>The same code twice</h2>", answer.control(table), as_table(head, rows),
    ]  # fmt: skip
    return document(title, parts)


def objections(results: Results) -> list[tuple[str, str, str]]:
    """Returns each of the usual objections, what excludes it here, and a command that shows it."""
    table = Table(results.records)
    runs = [run for run in results.runs.values() if run["status"] == "ok"]
    worst = max((run["notes"].get("verified", {}).get("worst", 0.0) for run in runs), default=0.0)
    scored = max((run["notes"].get("verified_scores", 0.0) for run in runs), default=0.0)
    first, again = (table.one("fit", metric, implementation="jax-run") for metric in ("first_use", "fit"))
    calls = (
        f"first use {seconds(first.value)}, a warm fit {seconds(again.value)}" if first and again else "not measured"
    )
    compiled = [r for r in table.all("fit", "first_use", cache="cold") if not IMPLEMENTATIONS[r.implementation].same_as]
    compile_ = ", ".join(f"{r.implementation} {seconds(r.value)}" for r in compiled) or "not measured"
    flags = sorted({f"{k}={v}" for run in runs for k, v in run["notes"].get("flags", {}).items()})
    threads = sorted({str(run["notes"]["torch_threads"]) for run in runs if "torch_threads" in run["notes"]})
    precision = sorted({run["notes"]["matmul_precision"] for run in runs if "matmul_precision" in run["notes"]})
    spread = max((control.spread for control in controls(table)), default=1.0)
    counts = sorted({r.counts for r in table.records if r.metric in ("fit", "step", "latency", "score_point")})
    skipped = "; ".join(f"{case}, {name}: {why}" for (case, name), why in results.refused().items()) or "none"
    gpu = results.device == "gpu"
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return [
        (
            "They do different work.", "Ten steps from the same parameters, batches and noise, and 1,000 scores, are "
            f"compared with a NumPy oracle before any timing: off by at most {worst:.1e} and {scored:.1e} of the "
            "largest magnitude. What fails has no time.", "pytest tests/parity tests/benchmarks/test_process.py",
        ),
        ("One side was not warmed up.", f"First and later calls are apart: JAX {calls}.", f"{RUN} --case fit"),
        (
            "Compile time is hidden.", f"It, and all else of a first use, is a column of its own: {compile_}. The "
            "case cold counts all from the creation of a process.", f"{RUN} --case cold",
        ),
        (
            "Thread counts differ.", f"Pinned cores and the environment: {'; '.join(flags) or 'none'}; "
            f"PyTorch's own count {', '.join(threads) or 'unknown'}.", f"{RUN} --case threads",
        ),
        (
            "One side computes in a lower precision.", f"Both in float32; PyTorch's matmul precision: "
            f"{', '.join(precision) or 'unknown'}, JAX's products say highest. The oracle's bound would find bfloat16.",
            "pytest tests/parity",
        ),
        (
            "CUDA graphs on one side only.",
            "reduce-overhead is a row of its own." if gpu else "There is no GPU in this run, so no CUDA graph.",
            f"{RUN} --case fit --implementation torch-overhead --device gpu",
        ),
        (
            "TF32 on one side only.", "It is off on both but in rows that name it." if gpu else
            "A CPU has no TF32; on a GPU it is off on both but in rows that name it.",
            f"{RUN} --case roofline --device gpu",
        ),
        (
            "Asynchronous calls were timed half done.", "Every timed call returns NumPy arrays, which wait for the "
            "device.", "the functions run in benchmarks/speed/process/workloads",
        ),
        ("The cases were picked.", f"This run is short: fit and window. A whole run has all "
         f"cases but those that its list says are run by name. Refused here: {skipped}.",
         "python -m benchmarks list"),
        (
            "It was one run.", f"Processes x calls: {', '.join(counts) or 'none'}. The same code twice differs by "
            f"up to {noise_floor(table):.3g}, single processes by {spread:.3g}; no ratio inside the former is claimed.",
            f"{RUN} --case window --rounds 10",
        ),
        ("The versions are stale.", versions, "pip list --outdated"),
    ]  # fmt: skip
