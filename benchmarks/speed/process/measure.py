"""One measurement in a process of its own, which `run` starts: `python -m benchmarks.speed.process.measure JOB`.

JOB is JSON. The last line of the output is the answer, as JSON. Nothing imports a framework before the time is taken.
"""

import time

STARTED = time.monotonic()  # before any other import

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

from benchmarks import machine  # noqa: E402
from benchmarks.speed.process.measurement import ANSWER, Measurement  # noqa: E402


def main() -> None:
    job = json.loads(sys.argv[1])
    machine.pin(job["cores"])
    measurement = Measurement(job)
    if job["measure"] == "cold":  # nothing may be imported first
        from benchmarks.speed.process import cold

        cold.run(measurement, STARTED)
    from benchmarks.speed.process.measures import MEASURES, finish

    MEASURES[job["measure"]](measurement)
    finish(measurement)
    print(ANSWER + json.dumps(measurement.answer()), flush=True)
    os._exit(0)  # no framework's clean-up of threads and caches belongs to a measurement


if __name__ == "__main__":
    main()
