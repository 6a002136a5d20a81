"""Help and flags of `disanat_train` and `disanat_predict`."""

from __future__ import annotations

import pytest

from disanat.ablations import MEANINGS
from disanat.cli import predict, train


@pytest.mark.parametrize(
    ("module", "flags"),
    [
        (train, "-d -c -f -m --resume --epochs --device --seed -np --ablate --home"),
        (train, "--num_gpus --num_cpu_ranks"),
        (predict, "-i -o -m -d -c -f --save --use_channels --brain_masks --device --home"),
        (predict, "--scheduler --fast --at_once --bids"),
    ],
)
def test_help_names_every_flag(
    module: object, flags: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        module.main(["--help"])  # type: ignore[attr-defined]
    assert left.value.code == 0
    shown = capsys.readouterr().out.replace(",", " ").split()
    assert set(flags.split()) <= set(shown)


def test_help_says_what_each_ablation_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {meaning}" in shown for name, meaning in MEANINGS.items())


@pytest.mark.parametrize(
    "argv", [["-i", "x"], ["-i", "x", "-o", "y", "--save", "pictures"], ["-i", "x", "-o"]]
)
def test_wrong_flags_leave_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        predict.main(argv)
    assert left.value.code == 2 and "usage: disanat_predict" in capsys.readouterr().err


def test_defaults() -> None:
    given = train.build_parser().parse_args([])
    assert (given.dataset, given.configuration, given.fold, given.method) == (
        None,
        None,
        ["0"],
        "dal",
    )
    assert given.resume is False and given.epochs is None
    assert predict.build_parser().parse_args(["-i", "a", "-o", "b"]).save == ["phi"]
