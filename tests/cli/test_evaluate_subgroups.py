"""`disanat_evaluate --participants`: from images to tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from sentences import check_sentence

from disanat import evaluate, subgroups
from disanat.cli.evaluate import main
from disanat.evaluation.subgroups import read_subgroups

SHAPE = (12, 12, 12)
FILES = ("subgroups.csv", "subgroups.json", "subgroups.md", "subgroups.png")


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((4.0, 4.0, 4.0))
    sitk.WriteImage(image, str(path))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 participants, half of them healthy; what is predicted at site S2 is half noise."""
    base = tmp_path_factory.mktemp("subgroups")
    rng = np.random.default_rng(0)
    rows = ["participant_id\tage\tsex\tsite"]
    for number in range(24):
        worse, sex, ill = number % 2, "FM"[number // 2 % 2], number // 4 % 2
        rows.append(f"sub-{number:02d}\t{rng.uniform(20, 90):.1f}\t{sex}\tS{worse + 1}")
        truth = np.zeros(SHAPE, bool)
        truth[4:7, 4:8, 4:8] = ill
        strength = rng.uniform(0.5, 1.0) * (0.2 if worse else 1.0)
        score = rng.uniform(0, 0.5, SHAPE) + strength * truth
        files = {
            "out/{}_anomaly": score.astype(np.float32),
            "out/{}_brainmask": np.ones(SHAPE, np.uint8),
            "out/{}": (score > (0.4 if worse else 0.49)).astype(np.uint8),
            "labels/{}": truth.astype(np.uint8),
            "scans/{}_0000": (rng.normal(100, 10, SHAPE) + 24 * truth).astype(np.float32),
        }
        for name, array in files.items():
            save(array, base / f"{name.format(f'{number:02d}')}.nii.gz")
    (base / "out" / "prediction.json").write_text(json.dumps({"input": str(base / "scans")}))
    (base / "participants.tsv").write_text("\n".join(rows) + "\n")
    return base


def run(base: Path, *words: object) -> int:
    return main(["-i", str(base / "out"), "-l", str(base / "labels"), *map(str, words)])


def test_the_worse_site_is_found_and_sex_is_not(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(made, "--participants", made / "participants.tsv", "-o", tmp_path) == 0
    out = capsys.readouterr().out
    assert "## site\n" in out and "AP               " in out
    assert f"Written to {tmp_path / 'subgroups.md'}" in out
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "evaluation.csv", "evaluation.json", *FILES,
    ]  # fmt: skip
    found = read_subgroups(tmp_path)
    verdicts = {c.name: [t.test.verdict if t.test else "" for t in c.tests] for c in found.columns}
    assert verdicts == {
        "age": ["no difference found"] * 3, "sex": ["no difference found"] * 3,
        "site": ["differs"] * 3,
    }  # fmt: skip
    assert found.participants == 24 and sum(s.lesions for s in found.by_contrast[1:]) == 12


def test_columns_and_cuts_are_the_user_s(made: Path, tmp_path: Path) -> None:
    words = ("--columns", "sex", "--cut", "age", 40, 60)
    assert run(made, "--participants", made / "participants.tsv", *words, "-o", tmp_path) == 0
    found = read_subgroups(tmp_path)
    assert [c.name for c in found.columns] == ["sex", "age"]
    assert [g.name for g in found.columns[1].groups] == ["<40", "40 to <60", ">=60"]


def test_from_python_it_is_the_same(made: Path, tmp_path: Path) -> None:
    evaluation = evaluate(made / "out", made / "labels")
    table = made / "participants.tsv"
    found = subgroups(evaluation, str(table), tmp_path, columns=["site"], cuts={"age": (50,)})
    assert [c.name for c in found.columns] == ["site", "age"] and read_subgroups(tmp_path) == found
    assert sorted(p.name for p in tmp_path.iterdir()) == list(FILES)
    assert found.by_contrast == () and found.by_size[2].lesions == 12
    assert subgroups(evaluation).columns == ()


def test_scans_alone_give_recall_by_contrast(made: Path, tmp_path: Path) -> None:
    assert run(made, "-s", made / "scans", "-o", tmp_path) == 0
    found = read_subgroups(tmp_path)
    assert found.source == "" and sum(share.lesions for share in found.by_contrast) == 12
    assert run(made, "-o", tmp_path / "plain") == 0
    assert not (tmp_path / "plain" / "subgroups.json").exists()


def test_scans_that_are_gone_are_told_and_the_rest_is_done(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, there = made / "out" / "prediction.json", made / "participants.tsv"
    before = facts.read_text()
    facts.write_text(json.dumps({"input": str(made / "gone")}))
    try:
        assert run(made, "--participants", there, "-o", tmp_path) == 0
    finally:
        facts.write_text(before)
    assert "contrast of the lesions is not known: the folder of the scans is gone" in (
        capsys.readouterr().err
    )
    assert read_subgroups(tmp_path).by_contrast == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--participants", "no.tsv"), "no.tsv is not there: check the path given with"),
        (("--columns", "sex"), "need a table: give it with --participants"),
        (("--cut", "age", "40"), "need a table: give it with --participants"),
        (("--participants", "{}", "--columns", "weight"), "no column weight: give --columns one"),
        (("--participants", "{}", "--cut", "sex", "3"), "not a number ('F'): leave --cut sex out"),
        (("--participants", "{}", "--cut", "age", "old"), "--cut age old is no list of numbers"),
        (("--participants", "{}", "--cut", "age"), "--cut age names no number: write"),
        (("--participants", "{}", "--cut", "age", "4", "--cut", "age", "5"), "is given twice"),
        (("-s", "nowhere"), "nowhere does not exist: check the path given with -s"),
    ],
)
def test_each_mistake_is_one_sentence_before_anything_is_judged(
    made: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [word.format(made / "participants.tsv") for word in words]
    assert run(made, *filled, "-o", tmp_path) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line and list(tmp_path.iterdir()) == []
    check_sentence(line, "--", "-s", "participants.tsv")
