"""The planner's rules, on fingerprints drawn at random and on typical ones."""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typical_plans import BOTH, case, fingerprint, make

from disanat.errors import PlanError
from disanat.plans import Fingerprint, Triple, to_dict
from disanat.tissues import THREE_CLASSES, TWELVE_CLASSES
from planning.explain import explain
from planning.planner import Overrides

fingerprints = st.builds(
    fingerprint,
    spacing=st.tuples(*[st.floats(0.4, 8.0)] * 3),
    shape=st.tuples(*[st.integers(12, 512)] * 3),
    cases=st.integers(1, 10_000),
    prior=st.booleans(),
    channels=st.integers(1, 6),
)


@settings(max_examples=60, deadline=None)
@given(fingerprints, st.sampled_from(["cpu", "cuda"]), st.floats(2.0, 80.0))
def test_every_plan_fits_and_can_be_built(found: Fingerprint, device: Any, memory: float) -> None:
    plans = make(found, device, memory, configurations=BOTH)
    for made in (*plans.configurations.values(), *plans.ladder):
        assert made.estimated_memory_gb <= memory
        assert made.batch_size >= 2 and made.batch_size % 2 == 0
        assert len(made.patch_size) == made.dimension
        for network in (made.encoder, made.restorer, made.comparator):
            assert len(network.features) == len(network.strides) == len(network.kernel_sizes)
            assert set(network.strides[0]) == {1}
            for edge, *steps in zip(made.patch_size, *network.strides, strict=True):
                assert edge % prod(steps) == 0
                assert prod(steps) == 1 or edge // prod(steps) >= 6
        assert made.epochs >= 4 and made.iterations_per_epoch >= 1
        assert made.context_slices in ((0, 1, 2) if made.dimension == 2 else (0,))
    steps = [plans.configuration("2d"), *plans.ladder]
    assert all(a.estimated_memory_gb > b.estimated_memory_gb for a, b in zip(steps, steps[1:]))
    assert all(decision.reason.endswith(".") for decision in plans.decisions)


@settings(max_examples=60, deadline=None)
@given(fingerprints, st.floats(2.0, 80.0))
def test_a_gpu_is_used_unless_the_data_end_first(found: Fingerprint, memory: float) -> None:
    plans = make(found, "cuda", memory, configurations=BOTH)
    for name, made in plans.configurations.items():
        reason = next(d.reason for d in plans.decisions if d.name == f"{name}: batch")
        data_end = "is a twentieth of" in reason
        assert data_end or made.estimated_memory_gb >= 0.7 * memory


@settings(max_examples=60, deadline=None)
@given(fingerprints, st.floats(2.0, 80.0))
def test_a_cpu_is_used_unless_time_ends_first(found: Fingerprint, memory: float) -> None:
    plans = make(found, "cpu", memory, configurations=BOTH)
    for name, made in plans.configurations.items():
        reasons = " ".join(d.reason for d in plans.decisions if d.name.startswith(f"{name}: "))
        slow = "is the most on a CPU" in reasons or "takes a CPU too long" in reasons
        assert slow or made.estimated_memory_gb >= 0.7 * memory


@settings(max_examples=60, deadline=None)
@given(fingerprints, st.sampled_from(["cpu", "cuda"]), st.floats(2.0, 80.0), st.floats(1.0, 40.0))
def test_more_memory_never_gives_a_smaller_patch_depth_or_batch(
    found: Fingerprint, device: Any, memory: float, factor: float
) -> None:
    poor = make(found, device, memory, configurations=BOTH)
    rich = make(found, device, memory * factor, configurations=BOTH)
    for name, less in poor.configurations.items():
        more = rich.configuration(name)
        for small, large in zip(less.patch_size, more.patch_size, strict=True):
            assert large >= small
        assert len(more.encoder.features) >= len(less.encoder.features)
        assert more.batch_size >= less.batch_size


def test_a_cpu_whose_memory_stops_the_batch_gets_wider_networks() -> None:
    huge = fingerprint(spacing=(1.0, 1.0, 1.0), shape=(12, 445, 445), cases=1, prior=False)
    made = make(huge, "cpu", 5.0).configuration()
    assert made.batch_size == 2 and made.encoder.features[0] > 16
    assert 3.5 <= made.estimated_memory_gb <= 5.0


def test_same_input_gives_the_same_bytes() -> None:
    def written() -> str:
        return json.dumps(to_dict(make(fingerprint(), configurations=("2d", "3d_fullres"))))

    assert written() == written()


def test_two_mm_brains_on_a_cpu() -> None:
    plans = make(fingerprint())
    made = plans.configuration()
    assert plans.recommended == made.name == "2d"
    assert plans.classes == tuple(c.name for c in TWELVE_CLASSES) and plans.prior == "labels"
    assert (made.slice_axis, made.context_slices) == ("S", 2)
    assert made.patch_size == (104, 80)  # 92 and 72 voxels, 8% more, multiples of 8
    assert made.batch_size == 8 and made.learning_rate == 1.5e-3
    assert made.encoder.features == (16, 32, 64, 128)
    assert made.restorer.features == (12, 24, 48, 64)
    assert made.edge_mm == 2.0
    seen = made.epochs * made.iterations_per_epoch * made.batch_size
    assert seen == pytest.approx(80_000, rel=0.03)  # 51 x 70 x 24 would be more


@pytest.mark.parametrize(
    ("device", "maps", "spacing"),
    [
        ("cuda", (1.0, 1.0, 1.0), 1.5),
        ("cuda", (1.8, 1.8, 1.8), 1.8),
        ("cuda", (1.0, 1.0, 3.0), 2.0),
        ("cuda", None, 2.0),
        ("cpu", (1.0, 1.0, 1.0), 2.0),
    ],
)
def test_finer_label_maps_make_a_finer_plan_where_there_is_time(
    device: Any, maps: tuple[float, float, float] | None, spacing: float
) -> None:
    found = replace(fingerprint(), label_maps=4 if maps else 0, label_map_spacing=maps)
    plans = make(found, device)
    assert plans.configuration().spacing == (spacing,) * 3
    reason = next(d.reason for d in plans.decisions if d.name == "voxel size")
    assert ("label maps" in reason) == (maps is not None and max(maps) < 2)


def test_without_label_maps_there_are_three_classes() -> None:
    plans = make(fingerprint(prior=False))
    assert plans.classes == tuple(c.name for c in THREE_CLASSES)
    assert plans.prior == "atlas" and plans.label_mapping == {}


@pytest.mark.parametrize(
    ("spacing", "axis", "context"),
    [
        ((1.0, 1.0, 1.0), "S", 2),
        ((4.4, 0.83, 0.83), "S", 1),
        ((7.0, 0.86, 0.86), "S", 0),
        ((0.9, 0.9, 5.0), "L", 1),
        ((1.0, 5.5, 1.0), "P", 0),
        ((1.0, 1.0, 1.4), "S", 2),
    ],
)
def test_slices_are_cut_across_the_thick_axis(spacing: Triple, axis: str, context: int) -> None:
    made = make(fingerprint(spacing, (60, 60, 60))).configuration("2d")
    assert (made.slice_axis, made.context_slices) == (axis, context)


def test_small_and_large_datasets_stay_within_the_limits_of_a_cpu() -> None:
    small, large = (make(fingerprint(cases=n)).configuration() for n in (4, 3000))
    assert small.epochs >= 10
    total = small.epochs * small.iterations_per_epoch * small.batch_size
    assert 9_000 <= total <= 9_900
    assert large.epochs * large.iterations_per_epoch * large.batch_size <= 80_000


def test_mixed_slice_thickness_keeps_thin_slices_where_voxels_are_very_unequal() -> None:
    cases = tuple(
        case(f"c{i}", (6.0 if i > 3 else 3.0, 1.0, 1.0), (25, 180, 150)) for i in range(20)
    )
    found = Fingerprint(
        "Dataset009_X", ("T1",), cases, (6.0, 1.0, 1.0), (25, 180, 150), False, True
    )
    plans = make(found)
    assert plans.configuration().spacing == (3.0, 1.0, 1.0)
    assert "10th percentile" in explain(plans)


def test_too_little_memory_is_one_sentence() -> None:
    with pytest.raises(PlanError, match=r"0.5 GB of memory are too little .* needs .* GB"):
        make(fingerprint(), memory=0.5)


def test_unknown_configurations_are_named() -> None:
    with pytest.raises(PlanError, match="4d.*use 2d, 3d_fullres, 3d_lowres"):
        make(fingerprint(), configurations=("4d",))


def test_the_ladder_halves_the_batch_first() -> None:
    plans = make(fingerprint())
    assert [rung.name for rung in plans.ladder] == ["2d_rung1", "2d_rung2", "2d_rung3"]
    assert [rung.batch_size for rung in plans.ladder] == [4, 2, 2]
    assert plans.ladder[2].encoder.features[0] == 8
    assert plans.configuration("2d_rung2") is plans.ladder[1]


def test_explanation_holds_every_decision_and_what_was_set() -> None:
    plans = make(fingerprint(), "cuda", 8.0, overrides=Overrides(memory_given=True))
    text = explain(plans)
    assert all(decision.name in text for decision in plans.decisions)
    assert "The memory was given; it has no instructions for bfloat16." in text
    assert "Set by you: gpu_memory_gb 8." in text


def test_a_low_resolution_is_planned_only_where_it_pays() -> None:
    wide = fingerprint((0.5, 0.5, 0.5), (280, 370, 290))
    plans = make(wide, "cuda", 6.0, configurations=("3d_fullres", "3d_lowres"))
    full, low = plans.configuration("3d_fullres"), plans.configuration("3d_lowres")
    assert low.spacing[0] == low.spacing[1] == low.spacing[2] > full.spacing[0]
    seen = [edge * mm for edge, mm in zip(low.patch_size, low.spacing, strict=True)]
    assert all(mm >= size * 0.5 for mm, size in zip(seen, (280, 370, 290), strict=True))
    with pytest.raises(PlanError, match=r"3d_lowres is not planned. A patch .* covers 100%"):
        make(fingerprint(), "cuda", 40.0, configurations=("3d_lowres",))
    said = next(
        d for d in make(wide, "cuda", 6.0, configurations=BOTH).decisions if "3d_low" in d.name
    )
    assert said.value == "would pay" and "at " in said.reason


def test_thick_slices_stay_as_they_are_at_low_resolution() -> None:
    wide = fingerprint((3.0, 0.4, 0.4), (50, 480, 400))
    low = make(wide, "cuda", 5.0, configurations=("3d_lowres",)).configuration("3d_lowres")
    assert low.spacing[0] == 3.0 and 0.4 < low.spacing[1] == low.spacing[2] <= 3.0


def test_blocks_on_a_cpu_are_no_larger_than_time_allows() -> None:
    for memory in (8.0, 80.0):
        plans = make(fingerprint(), "cpu", memory, configurations=("3d_fullres", "3d_lowres"))
        full, low = plans.configuration("3d_fullres"), plans.configuration("3d_lowres")
        assert 100_000 < prod(full.patch_size) <= 150_000
        assert prod(low.patch_size) <= 150_000
        seen = [edge * mm for edge, mm in zip(low.patch_size, low.spacing, strict=True)]
        assert all(mm >= size * 2 for mm, size in zip(seen, (70, 92, 72), strict=True))
        assert any(d.reason.endswith("takes a CPU too long.") for d in plans.decisions)
    assert prod(make(fingerprint(), "cuda", 40.0, configurations=("3d_fullres",)).configuration()
                .patch_size) > 600_000  # fmt: skip
