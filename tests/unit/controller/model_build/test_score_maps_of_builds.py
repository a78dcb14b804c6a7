"""Score maps in a bundle: a build of the same model keeps them, of another one says so."""

from __future__ import annotations

from controller.model_build.score_maps import set_maps
from controller.model_build.stamp import STAMP
from tox_com_det.model.score_map import ScoreMap

MAPS = {"TOXICITY": ScoreMap((0.0, 0.5, 1.0), (0.0, 0.25, 1.0))}


def test_a_bundle_with_maps_is_current(make, out):
    built = make().manifest
    mapped = set_maps(out, MAPS)
    assert mapped.model_version != built.model_version
    again = make()
    assert again.unchanged
    assert again.manifest == mapped
    assert set_maps(out, {}) == built
    assert make().unchanged


def test_a_new_build_of_the_same_model_keeps_them(make, out, lines):
    make()
    mapped = set_maps(out, MAPS)
    again = make(force=True)
    assert not again.unchanged
    assert again.manifest == mapped
    assert "score maps kept: TOXICITY" in lines
    assert make().unchanged


def test_other_languages_keep_them_as_well(make, out):
    make()
    set_maps(out, MAPS)
    assert make(languages="de").manifest.score_maps == MAPS


def test_another_model_does_not(make, out, lines, author_valid):
    make()
    set_maps(out, MAPS)
    assert make(h5=author_valid.path).manifest.score_maps == {}
    (warning,) = [line for line in lines if "score maps" in line]
    assert "run `fab fit-scores` again" in warning


def test_a_damaged_stamp_is_no_obstacle(make, out):
    make()
    (out / STAMP).write_text("[")
    mapped = set_maps(out, MAPS)
    again = make()
    assert not again.unchanged
    assert again.manifest == mapped
