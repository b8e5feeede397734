"""Every paper figure draws the axes and series it promises, and prints numbers near the expected ones."""

import importlib

import pytest

from paper_figures import fig16_panels, figures, gallery
from pgames.plot.style import new_figure
from tests.support.figures import FIGURES, NAMES, ON_TEXT, SLACK, check_figure, check_toy


def exploration_avoids_the_exponential(found):
    assert found["greedy: d ln Reg / d(1/tau)"] == pytest.approx(0.187, rel=0.15)
    for name in ("optimistic", "enhancer"):
        assert 0.6 < found[f"{name}: power of 1/tau"] < 1.2
    for name, expected in (("optimistic", 73.6), ("enhancer", 48.8), ("uniform", 49.5)):
        assert found[f"{name} at 1/tau = 50"] == pytest.approx(expected, rel=0.15)
        assert found["greedy at 1/tau = 50"] > 100 * found[f"{name} at 1/tau = 50"]


def batches_escape_above_the_threshold_only(found):
    """Half the threshold never escapes; eight times it does. Between the two, seeds decide."""
    seen = set()
    for what, gap in found.items():
        if "m = " not in what:
            continue
        threshold = found[f"{what.split(',')[0]}: threshold m*"]
        m = int(what.split("m = ")[1].split(":")[0])
        if m <= threshold / 2:
            assert gap > 0.9, what
            seen.add("below")
        elif m >= 8 * threshold:
            assert gap < 0.2, what
            seen.add("above")
    assert seen == {"below", "above"}


def regret_grows_like_the_number_of_responses(found):
    assert len(found) == 3
    assert all(0.8 < exponent < 1.3 for exponent in found.values())


def last_iterates_converge_as_their_theorems_say(found):
    kl = {what.split(":")[0]: value for what, value in found.items()}
    assert kl["SPPO"] > 1 and 1e-5 < kl["Nash-MD, constant step"] < 1e-2
    assert kl["Nash-MD"] < 1e-5
    assert kl["INPO"] < 1e-12 and kl["EGPO"] < 1e-12


def populations_close_the_gap(found):
    assert found["PSRO: median gap after 12 calls"] < 1e-12
    assert found["anytime PSRO: median gap after 12 calls"] < 1e-9
    assert found["uniform: median gap after 12 calls"] > 0.1
    assert found["self-play: median gap after 12 calls"] > 0.5
    assert found["members of PSRO at the Nash"] == 6 and found["strategies in the strongest cluster"] == 3
    assert found["limit of Elo where a pair has 80 % of the games"] == pytest.approx(135.74, abs=0.01)
    assert found["online Elo there"] == pytest.approx(138.4, abs=4)


def search_needs_fewer_verdicts(found):
    at = {what.split(":")[0]: value for what, value in found.items() if "625" in what}
    assert at["PUCT"] > at["draws of the reference"] + 0.08
    assert at["Tempered"] > at["draws of the reference"] + 0.08


def only_a_strong_diversity_term_forgets_the_schedule(found):
    """Every median of the design, and where play cycles for ever the order alone: seeds decide the rest."""
    game = "one defence against all attacks"
    schedules = {what.split(", w =")[0] for what in found if what.startswith(game)}
    assert len(found) == 2 * 4 * 3 * 2 and len(schedules) == 4
    expected = importlib.import_module("paper_figures.fig13_schedules").EXPECTED
    for name, rows in expected.items():
        for schedule, (gaps, entropies) in rows.items():
            for w, gap, entropy in zip(("0", "0.05", "0.5"), gaps, entropies, strict=True):
                where = f"{name}, {schedule}, w = {w}"
                loose = name == game and w == "0"
                assert found[f"{where}: last gap"] == pytest.approx(gap, abs=6e-2 if loose else 1e-3)
                assert found[f"{where}: entropy of the attacker"] == pytest.approx(entropy, abs=1e-2)
    long = [found[f"{game}, defend {d}, attack {60 - d}, w = 0.05: last gap"] for d in (20, 40)]
    assert min(long) > 6 * found[f"{game}, both at once, w = 0.05: last gap"]


def self_play_leaves_uniform_play_at_the_threshold(found):
    assert found["threshold of the flow"] == pytest.approx(0.476, abs=5e-4)
    assert found["threshold at eta = 0.5"] == pytest.approx(0.458, abs=1e-3)
    assert found["gap at eta = 0.5, b = 0.4"] < 1e-3 < 0.1 < found["gap at eta = 0.5, b = 0.47"]
    assert found["gap at eta = 0.5, b = 0.6"] == pytest.approx(0.34, abs=0.04)


def remedies_work_and_fail(found):
    expected = [(name, n, gap) for name, row in fig16_panels.EXPECTED.items() for n, gap in row.items()]
    assert len(expected) == 11
    for name, n, gap in expected:
        assert found[f"{name}, {n} of 6: members"] == pytest.approx(gap, abs=0.04)
    assert found["outside the pair, 6 of 6: their mean"] > 3 * found["oneself, 6 of 6: their mean"]
    assert all(gap < 1e-3 for what, gap in found.items() if what.startswith("a rule"))


def supports_change_where_they_should(found):
    assert found["six rankers, L2: D leaves"] == pytest.approx(0.04, rel=1e-4)
    assert all(value < 1e-12 for what, value in found.items() if "exploitability" in what)
    assert found["random, n = 7, L2: 6 leaves"] > found["random, n = 7, L2: 6 enters"]
    sizes = {what.split(":")[0]: value for what, value in found.items() if "smallest tau" in what}
    assert sizes == {"cycle and outsider": 3, "six rankers": 1, "random, n = 7": 3}


def every_geometry_contracts(found):
    factors = [value for what, value in found.items() if "worst factor" in what]
    assert len(factors) == 5
    assert max(factors) <= 1 - 0.1 * 0.2 + 1e-9
    weak = {what.split(":")[0]: value for what, value in found.items() if "weak response" in what}
    assert weak["KL"] > 0.01 and weak["reverse KL"] > weak["KL"]
    assert weak["L2"] == weak["Tsallis 1.5"] == 0


def restarts_of_regret_matching_win_on_large_games(found):
    """Of the numbers only what holds on a slow machine too: the clock decides how many rounds are played."""
    for n in (50, 300):
        restarted = found[f"PRM+, restarts of 100, {n} responses, 0.5 CPU s"]
        for peer in ("RM, averaged", "MWU, averaged", "OMWU", "EGPO", "COMAL of MMD"):
            assert restarted < 0.5 * found[f"{peer}, {n} responses, 0.5 CPU s"]
    assert found["PRM+, restarts of 100, 10 responses, 0.5 CPU s"] < 1e-9


def probes_fire_on_their_boards_alone(found):
    power = [share for what, share in found.items() if what.startswith("power")]
    assert len(power) == 10 and min(power) >= 0.95
    assert found["false alarms on a clean board"] < 0.03
    assert found["coverage, draws single votes"] < 0.75 < found["coverage, draws whole annotators"]


CLAIMS = {
    "fig18_tau_paths": supports_change_where_they_should,
    "fig19_regularisers": every_geometry_contracts,
    "fig14_league": populations_close_the_gap,
    "fig12_search": search_needs_fewer_verdicts,
    "fig13_schedules": only_a_strong_diversity_term_forgets_the_schedule,
    "fig1_exponential": exploration_avoids_the_exponential,
    "fig5_batch": batches_escape_above_the_threshold_only,
    "fig6_parameter": regret_grows_like_the_number_of_responses,
    "fig7_spirals": last_iterates_converge_as_their_theorems_say,
    "fig15_self_preference": self_play_leaves_uniform_play_at_the_threshold,
    "fig16_panels": remedies_work_and_fail,
    "fig17_regret_matching": restarts_of_regret_matching_win_on_large_games,
    "fig20_audit": probes_fire_on_their_boards_alone,
}
ON_TABLES = [name for name in NAMES if name not in ON_TEXT]


def test_the_list_of_figures_is_complete():
    assert sorted(figures.FIGURES) == NAMES == sorted(FIGURES)
    assert sorted(ON_TABLES) == sorted({*SLACK, *CLAIMS})


def test_captions_name_the_setting_of_their_pictures():
    captions = (gallery.THUMBNAILS.parent / "README.md").read_text().splitlines()
    of_name = {line.split("**")[1].rstrip("."): line for line in captions if line.startswith("| ![](")}
    assert sorted(of_name) == NAMES and figures.QUICK <= set(NAMES)
    assert sorted(path.stem for path in gallery.THUMBNAILS.iterdir()) == NAMES
    said = {name for name, line in of_name.items() if "of the quick setting" in line}
    assert said | {"fig15_self_preference"} == figures.QUICK  # of which the next caption speaks


def test_thumbnails_are_small_pictures_of_their_figures(tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.setattr(gallery, "THUMBNAILS", tmp_path / "thumbnails")
    for inches, pixels in ((6.6, (718, 457)), (11.4, (1080, 398))):

        def draw(size, inches=inches):
            figure = new_figure(inches, 4.2)
            figure.add_subplot().plot([0, 1], [0, 1])
            return figure, [gallery.Check("one", 1.0, 1.0)]

        gallery.main("one", draw, ["--toy", "--thumbnail", "--out", str(tmp_path)])
        with Image.open(tmp_path / "thumbnails" / "one.png") as image:
            assert image.size == pixels and image.mode == "P"
            image.load()
            assert len(image.getcolors()) > 3  # paper, ink, a line
        first = (tmp_path / "thumbnails" / "one.png").read_bytes()
        gallery.main("one", draw, ["--toy", "--thumbnail", "--out", str(tmp_path)])
        assert (tmp_path / "thumbnails" / "one.png").read_bytes() == first
    assert "thumbnails/one.png" in capsys.readouterr().out


@pytest.mark.parametrize("name", ON_TABLES)
def test_a_toy_of_the_figure_has_its_axes_and_series(name, tmp_path, capsys):
    check_toy(name, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_TABLES)
def test_figure(name, tmp_path, capsys):
    check_figure(name, CLAIMS.get(name), tmp_path, capsys)
