"""Many small volumes through one call of `predict_folder`: memory, open files and pace.

    python benchmarks/faults/load.py --volumes 500

Writes `benchmarks/faults/records/load.json`; `reliability.py` makes the page of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import numpy as np  # noqa: E402
import psutil  # noqa: E402
from drill import DATASET, STAGES, finish, launch, make_scans, make_start, shrink  # noqa: E402
from records import save_record  # noqa: E402

from disanat.inference.folder import predict_folder  # noqa: E402
from disanat.inference.predictor import Predictor  # noqa: E402
from disanat.io.cases import Case  # noqa: E402

_WARM = 10
"""Volumes that are not counted: buffers and libraries come in with the first ones."""


def measured(model: Path, scans: Path, out: Path) -> dict[str, float]:
    """Means over the first and the last tenth of the volumes."""
    process = psutil.Process()
    predictor = Predictor.from_folder(model)
    predict = predictor.predict_case
    memory, files, times = [], [], []

    def watched(case: Case, mask: Path | None = None) -> object:
        found = predict(case, mask)
        memory.append(process.memory_info().rss / 1e6)
        files.append(process.num_fds())
        times.append(time.monotonic())
        return found

    predictor.predict_case = watched  # type: ignore[method-assign,assignment]
    rows = predict_folder(predictor, scans, out)
    seconds = np.diff(times)[_WARM:]
    counted = np.array(memory[_WARM:])
    tenth = max(1, len(counted) // 10)
    return {
        "volumes": len(rows),
        "failed": sum(row.status != "ok" for row in rows),
        "memory_first_mb": float(counted[:tenth].mean()),
        "memory_last_mb": float(counted[-tenth:].mean()),
        "files_first": float(max(files[_WARM : _WARM + tenth])),
        "files_last": float(max(files[-tenth:])),
        "seconds_first": float(np.median(seconds[:tenth])),
        "seconds_last": float(np.median(seconds[-tenth:])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--volumes", type=int, default=500, help="default: 500")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        make_start(home)
        for stage in STAGES[:2]:
            run = finish(launch(stage.words, home))
            if run.code != 0:
                sys.exit(f"{stage.name} failed:\n{run.said[-2000:]}")
            if stage.name == "plan and preprocess":
                shrink(home)
        make_scans(home / "many", args.volumes)
        model = home / "results" / DATASET / "dal__2d" / "fold_0"
        found = measured(model, home / "many", home / "out")
    save_record("load", found)
    print(found)


if __name__ == "__main__":
    main()
