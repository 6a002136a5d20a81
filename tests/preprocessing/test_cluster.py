"""Work on many cases by Dask: with real schedulers and worker processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_work import deadly, doubled, once_broken
from mini_brains import DATASET, make_brain, run_main, write_volume

from disanat.errors import DatasetError, PlanError
from disanat.home import BOOKS
from disanat.preprocessing.cluster import Cluster, connected
from disanat.preprocessing.parallel import each_result

distributed = pytest.importorskip("distributed", reason="Dask is not installed (disanat[dask])")


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """A scheduler with two worker processes on loopback."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster(dask: Any) -> Iterator[Cluster]:
    with connected(dask.scheduler_address) as found:
        assert found is not None
        yield found


def test_each_job_is_done_once_though_a_worker_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    jobs = [(number, tmp_path) for number in range(40)]
    names = [str(number) for number in range(40)]
    found = list(each_result(doubled, jobs, cluster, names))
    assert sorted(value for value, _ in found) == [2 * number for number in range(40)]
    killed = int((tmp_path / "killed").read_text())
    assert killed != os.getpid() and len({pid for _, pid in found} - {killed}) > 0


def test_what_fails_once_is_tried_again(cluster: Cluster, tmp_path: Path) -> None:
    assert list(each_result(once_broken, [(tmp_path,)], cluster, ["a"])) == ["done"]
    assert list(each_result(once_broken, [], cluster, [])) == []


def test_a_case_that_ends_all_its_workers_is_named(cluster: Cluster) -> None:
    with (
        distributed.Client(cluster._client.scheduler.address) as client,
        pytest.raises(DatasetError, match=r"Case heavy ended every worker .*leave it out"),
    ):
        client.run_on_scheduler(_two_lives)
        list(each_result(deadly, [(1,)], cluster, ["heavy"]))


def _two_lives(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 1


def test_a_scheduler_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("disanat.preprocessing.cluster._PATIENCE_S", "1s")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(PlanError, match=f"No Dask scheduler answers at {address}"), connected(
        address
    ):
        pass


def test_without_dask_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PlanError, match=r"pip install 'disanat\[dask\]'"), connected("local"):
        pass
    with connected(None) as nothing:
        assert nothing is None


TIMED = ("prediction.json", "predictions.json", "predictions.csv")


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder but its books, times and temporary names left out."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if BOOKS not in path.parts and path.name not in TIMED
    }


def test_cases_are_prepared_bit_for_bit_as_in_one_process(
    planned_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(planned_home / "raw", tmp_path / "raw")
    words = ("-d", "5", "--home", tmp_path, "--scheduler", "local", "-np", 1)
    with caplog.at_level("INFO"):
        assert run_main("plan", *words) == 0
    assert "Working on 1 Dask worker of this machine." in caplog.messages
    prepared = contents(tmp_path / "preprocessed" / DATASET / "2d")
    assert prepared == contents(planned_home / "preprocessed" / DATASET / "2d")
    assert len(prepared) >= 10


def test_a_worker_killed_while_predicting_loses_nothing(
    trained_home: Path, dask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        brain = make_brain(20 + number, lesion=True)
        write_volume(tmp_path / "scans" / f"p{number}_0000.nii.gz", brain.image)
    write_volume(tmp_path / "scans" / "empty_0000.nii.gz", 0 * brain.image)
    monkeypatch.chdir(tmp_path)
    words = ("-i", "scans", "-m", "threshold", "--home", trained_home, "--device", "cpu")
    assert run_main("predict", *words, "-o", "alone") == 1
    killed = threading.Event()

    def kill() -> None:
        records = tmp_path / "many" / BOOKS / "cases"
        until = time.monotonic() + 60
        while not list(records.glob("*.json")) and time.monotonic() < until:
            time.sleep(0.01)
        pids = [worker.pid for worker in dask.workers.values() if worker.pid]
        os.kill(pids[0], signal.SIGKILL)
        killed.set()

    killer = threading.Thread(target=kill)
    killer.start()
    code = run_main("predict", *words, "-o", "many", "--scheduler", dask.scheduler_address)
    killer.join()
    assert code == 1 and killed.is_set()
    alone, many = contents(tmp_path / "alone"), contents(tmp_path / "many")
    assert many == alone and len(many) >= 24
    tables = [(tmp_path / name / "predictions.csv").read_text() for name in ("alone", "many")]
    rows = [[line.split(",")[:9] for line in table.splitlines()] for table in tables]
    assert rows[0] == rows[1] and "failed" in tables[1]


def test_a_test_set_is_measured_by_the_workers(
    trained_home: Path, cluster: Cluster, tmp_path: Path
) -> None:
    from disanat.experiments.measure import measure
    from disanat.experiments.sets import LabelledSet

    for number in range(2):
        brain = make_brain(30 + number, lesion=True)
        write_volume(tmp_path / "scans" / f"p{number}_0000.nii.gz", brain.image)
        write_volume(tmp_path / "labels" / f"p{number}.nii.gz", brain.lesion.astype("uint8"))
    model = trained_home / "results" / DATASET / "threshold__2d" / "fold_0"
    one = LabelledSet("ill", tmp_path / "scans", tmp_path / "labels", None)
    measured = measure(model, one, tmp_path / "out", "cpu", cluster)
    assert [case.case for case in measured.evaluation.cases] == ["p0", "p1"]
    assert measured.cost.peak_mb is None and measured.cost.seconds is not None
