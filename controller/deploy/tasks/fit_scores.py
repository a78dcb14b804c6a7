"""`fab fit-scores` and `fab remove-score-maps`: their options, and what they print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from controller.deploy.bundle import Bundle, load_bundle
from controller.deploy.cli import DRY_RUN
from controller.deploy.errors import DeployError
from controller.deploy.paths import BUNDLE, ROOT, user_path
from controller.deploy.tasks.scored import SCORES, SERVICE, check_url, input_file, open_service
from controller.deploy.typed import completed
from controller.progress import print_table
from controller.scores.table import read_scores
from tox_com_det.model.manifest import ManifestError
from tox_com_det.model.score_map import ScoreMap
from tox_com_det.perspective.settings import (
    ATTRIBUTES,
    PerspectiveSettings,
    PerspectiveSettingsError,
)

if TYPE_CHECKING:
    from controller.scores.fit import Fit
    from controller.scores.joined import Scores

__all__ = ["HELP", "REMOVE_HELP", "fit_scores", "remove_score_maps"]

PLOT = SCORES / "score_maps.png"
WITH_MAPS = {"bundle": f"bundle directory with the maps (default: {BUNDLE.relative_to(ROOT)})"}
HELP = {
    "pairs": "CSV of text, attribute and Google's score, as `fab collect-scores` writes it",
    **WITH_MAPS,
    **SERVICE,
    "score_column": "column of the CSV with the model's scores (default: ask the service)",
    "labels": "ATTRIBUTE=label, separated by commas (default: the table in docs/perspective.md)",
    "plot": f"picture, .png, .svg or .pdf (default: {PLOT.relative_to(ROOT)})",
    **DRY_RUN,
}
REMOVE_HELP = {**WITH_MAPS, **DRY_RUN}
COLUMNS = (
    "attribute",
    "threshold",
    "Google flags",
    "before the map",
    "after it",
    "agree before",
    "agree after",
)


def fit_scores(
    pairs: str,
    bundle: str | None = None,
    url: str | None = None,
    inventory: str | None = None,
    limit: str | None = None,
    key_file: str | None = None,
    score_column: str | None = None,
    labels: str | None = None,
    plot: str | None = None,
    dry_run: bool = False,
) -> None:
    """Fit maps from the model's scores to Google's, so that thresholds carry over."""
    # Imported here: NumPy, which no other task should wait for.
    from controller.scores.fit import TOLERANCE
    from controller.scores.joined import fit_all, joined, left_out, without_versions
    from controller.scores.model_scores import check_model, model_scores
    from controller.scores.plot import check_plot, write_plot

    file = input_file(pairs, "fit-scores")
    check_url(url)
    loaded = load_bundle(user_path(bundle, BUNDLE))
    picture = user_path(plot, PLOT)
    check_plot(picture)
    google: Scores = without_versions(read_scores(file))
    keys = _labels(labels, loaded)
    missing = left_out(google, keys)
    if missing:
        print(f"left out, the model has no label for them: {', '.join(missing)}")
    if dry_run:
        whom = f"column {score_column}" if score_column else url or "the inventory's server"
        print(f"would fit maps to {len(google)} comments, the model's scores from {whom}")
        print(f"into {loaded.directory}")
        return
    if score_column:
        ours: Scores = without_versions(
            read_scores(file, score_column, "name another --score-column")
        )
        keys = {name: name for name in keys}
    else:
        service = open_service(url, inventory, limit, key_file)
        check_model(service, loaded.manifest)
        ours = model_scores(service, list(google), SCORES)
        if len(ours) < len(google):
            print(f"{len(google) - len(ours)} comments left out: the service refuses them")
    wanted = {
        name: key for name, key in keys.items() if any(name in one for one in google.values())
    }
    fits = fit_all(joined(google, ours, wanted), print)
    print_table(COLUMNS, [row for name, fit in fits.items() for row in _rows(name, fit)])
    for name, fit in fits.items():
        points = len(fit.score_map.x)
        print(
            f"{name}: {points} points (tolerance {TOLERANCE}) fitted to {fit.trained} comments, "
            f"the table is of {fit.held_out} others"
        )
    write_plot(picture, fits)
    print(f"plot: {picture}")
    _write(loaded, {name: fit.score_map for name, fit in fits.items()})


def _rows(name: str, fit: Fit) -> list[list[str]]:
    """The report of one attribute: a row for each threshold."""
    rows = []
    for one in fit.agreement:
        shares = (one.google, one.before, one.after, one.agree_before, one.agree_after)
        cells = [f"{100 * share:.1f} %" for share in shares]
        rows.append([name, f"{one.threshold:.1f}", *cells])
    return rows


def remove_score_maps(bundle: str | None = None, dry_run: bool = False) -> None:
    """Remove the maps of `fab fit-scores` from the bundle."""
    loaded = load_bundle(user_path(bundle, BUNDLE))
    names = ", ".join(loaded.manifest.score_maps)
    if not names or dry_run:
        print(f"{loaded.directory}: {f'would remove {names}' if names else 'no score maps'}")
        return
    _write(loaded, {})


def _labels(given: str | None, bundle: Bundle) -> Mapping[str, str]:
    """The attributes that the model has, with their labels."""
    try:
        labels = PerspectiveSettings.from_environment({ATTRIBUTES: given or ""}).labels
    except PerspectiveSettingsError:
        raise DeployError(f"--labels is {given}, expected pairs such as TOXICITY=toxic") from None
    found = {name: one for name, one in labels.items() if one in bundle.manifest.labels}
    if not found:
        raise DeployError(
            f"the model's labels ({', '.join(bundle.manifest.labels)}) answer no attribute: name "
            "them with --labels"
        )
    return found


def _write(bundle: Bundle, maps: Mapping[str, ScoreMap]) -> None:
    from controller.model_build.score_maps import set_maps

    try:
        manifest = set_maps(bundle.directory, maps)
    except ManifestError as error:
        raise DeployError(f"the maps are not written ({error}): run `fab build-model`") from None
    done = f"score maps of {', '.join(maps)}" if maps else "score maps removed"
    line = f"{bundle.directory}: {done}: model {manifest.model_version}, next: `fab deploy-model`"
    print(completed(line))
