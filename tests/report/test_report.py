"""The report: every number against an oracle, the page self-contained and safe, odd inputs, real votes."""

import json
import re
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import pgames as pg
from pgames.cli.app import app
from pgames.ratings.estimate import estimate, ranking_model, ranking_worth
from pgames.ratings.likelihood import maximise
from pgames.report.analyse import analyse
from pgames.report.writing import write_report


def votes_of(rows):
    return pg.Comparisons.from_names(*map(list, zip(*rows, strict=True)))


@pytest.fixture(scope="module")
def cycle():
    """Rock, paper, scissors and a loser, 20 votes a pair, one answer wrong in five, one tie each."""
    beats = [("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")]
    beats += [(name, "well") for name in ("rock", "paper", "scissors")]
    rows = []
    for a, b in beats:
        rows += [(a, b, "left")] * 12 + [(b, a, "right")] * 4 + [(a, b, b)] * 4 + [(a, b, "tie")]
    return votes_of(rows)


@pytest.fixture(scope="module")
def numbers(cycle):
    return analyse(cycle, resamples=40, seed=3).plain()


def test_the_mixture_is_the_equilibrium_of_the_estimated_game(cycle, numbers):
    found = {item["name"]: item["nash"] for item in numbers["items"]}
    for name in ("rock", "paper", "scissors"):
        np.testing.assert_allclose(found[name]["probability"], 1 / 3, atol=1e-12)
        assert found[name]["share_of_resamples"] > 0.6
    assert found["well"]["probability"] == 0 and found["well"]["interval"] == [0, 0]
    assert numbers["nash"]["played"] == 3 and numbers["nash"]["exploitability"] <= 1e-12
    game = pg.PreferenceGame(numbers["win_rates"], labels=numbers["names"])
    mixture = [found[name]["probability"] for name in numbers["names"]]
    assert pg.exploitability(game, mixture) <= 1e-12


def test_ratings_are_those_of_the_ratings_module(cycle, numbers):
    elo, strength = pg.ratings.elo(cycle), pg.ratings.bradley_terry(cycle)
    for item in numbers["items"]:
        np.testing.assert_allclose(item["elo"]["score"], elo[item["name"]])
        np.testing.assert_allclose(item["bradley_terry"]["score"], strength[item["name"]] * 400 / np.log(10))
        for rating in ("elo", "bradley_terry"):
            low, high = item[rating]["interval"]
            assert low < item[rating]["score"] < high or rating == "elo"
    assert sum(item["votes"] for item in numbers["items"]) == 2 * len(cycle) == 2 * numbers["votes"]["count"]
    assert numbers["votes"]["ties"] == 6 and numbers["votes"]["pairs_compared"] == 6


def test_the_planted_cycle_is_found_and_beyond_noise(numbers):
    strongest = numbers["cycles"][0]
    assert set(strongest["items"]) == {"rock", "paper", "scissors"}
    assert strongest["votes"] == [21, 21, 21] and strongest["share_of_resamples"] > 0.8
    assert min(strongest["win_rates"]) - 0.5 == pytest.approx(strongest["strength"])
    share = numbers["transitive_share"]
    assert share["value"] < share["under_a_perfect_ranking"][0]


def test_votes_on_a_ranking_show_no_cycles_beyond_noise():
    rng = np.random.default_rng(0)
    scores = np.linspace(0, 2, 6)
    left = rng.integers(6, size=3000)
    right = (left + rng.integers(1, 6, size=3000)) % 6
    won = rng.random(3000) < 1 / (1 + np.exp(scores[right] - scores[left]))
    found = analyse(pg.Comparisons(left, right, np.where(won, 1, -1)), resamples=40).plain()
    low, high = found["transitive_share"]["under_a_perfect_ranking"]
    assert low < found["transitive_share"]["value"] <= high + 0.01
    assert found["settings"]["ranking_worth"] > 30  # the ranking is believed
    assert all(top["item"] == "5" and top["exploitability"] == 0 for top in found["top_rated"])
    assert all(top["beaten_by"] is None for top in found["top_rated"])


def test_the_top_rated_item_of_a_cycle_is_exploitable_by_the_number_given(cycle, numbers):
    P, names = np.array(numbers["win_rates"]), numbers["names"]
    for top in numbers["top_rated"]:
        column = P[:, names.index(top["item"])]
        assert top["exploitability"] == pytest.approx(column.max() - 0.5) and top["exploitability"] > 0.1
        assert top["beaten_by"] == names[int(np.argmax(column))] and top["win_rate"] == pytest.approx(
            column.max()
        )


def test_estimates_follow_the_votes_where_there_are_many_and_the_ranking_where_there_are_none():
    rows = [("a", "b", "left")] * 700 + [("a", "b", "right")] * 300 + [("b", "c", "left")] * 30
    rows += [("b", "c", "right")] * 10
    votes = votes_of(rows)
    game = estimate(votes, worth=4.0)
    model = pg.ratings.bradley_terry(votes, prior=0.5).win_rates
    np.testing.assert_allclose(game.P[0, 0, 2], model[0, 2])  # never compared
    np.testing.assert_allclose(game.P[0, 0, 1], (700 + 4 * model[0, 1]) / 1004)
    assert model[0, 2] > 0.8


def test_the_worth_of_the_ranking_falls_with_the_strength_of_cycles(cycle):
    assert ranking_worth(cycle, ranking_model(cycle)) < 30


def exact_of_solve(path):
    """What `pgames solve FILE --tau 0` prints: labels, mean policy, and how the game was estimated."""
    result = CliRunner().invoke(app, ["solve", str(path), "--tau", "0", "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    return dict(zip(found["labels"], np.mean(found["exact"]["policy"], axis=0), strict=True)), found[
        "estimate"
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [(a, b, side) for a, b in ("AB", "BC", "CD") for side in ["left"] * 9 + ["right"]],
        [("A", "B", "left")] * 3 + [("C", "D", "left")] * 3,  # two groups that never met
        [("A", "B", "left"), ("A", "C", "tie"), ("D", "C", "right")],
    ],
    ids=["a chain", "two groups", "three votes"],
)
def test_one_file_has_one_answer(rows, tmp_path):
    """`pgames solve` and `pgames report` use one estimator, say its name, and give one equilibrium."""
    path = tmp_path / "few.csv"
    path.write_text("left,right,winner\n" + "".join(f"{a},{b},{won}\n" for a, b, won in rows))
    exact, estimator = exact_of_solve(path)
    data = analyse(pg.Comparisons.read(path), resamples=2).plain()
    for item in data["items"]:
        assert item["nash"]["probability"] == pytest.approx(exact[item["name"]], abs=1e-9)
    assert estimator["method"] == data["settings"]["estimate"] and "pgames.estimate" in estimator["method"]
    assert estimator["ranking_worth"] == data["settings"]["ranking_worth"]
    if len(rows) == 30:
        assert exact == pytest.approx({"A": 1, "B": 0, "C": 0, "D": 0})  # 1/2 for A and C would play both


def test_one_file_with_prompts_has_one_answer(tmp_path):
    rows = [("A", "B", "left", "x")] * 8 + [("B", "C", "left", "x")] * 3 + [("C", "A", "left", "y")] * 5
    path = tmp_path / "few.csv"
    path.write_text("left,right,winner,prompt\n" + "".join(",".join(row) + "\n" for row in rows))
    exact, _ = exact_of_solve(path)
    found = analyse(pg.Comparisons.read(path), resamples=2).plain()["prompts"]
    assert {name: exact[name] for name in found["average"]} == pytest.approx(found["average"], abs=1e-6)


def test_bradley_terry_is_fitted_once_with_and_once_without_the_prior(cycle, monkeypatch):
    fits = []

    def counted(data, start=None):
        fits.append(data.prior)
        return maximise(data, start)

    monkeypatch.setattr(sys.modules["pgames.ratings.bradley_terry"], "maximise", counted)
    analyse(cycle, resamples=2)
    once, again = fits[:2], fits[2:]
    assert sorted(once) == [0.0, 0.5] and again == [0.5] * 4  # two resamples, two simulated rankings


def test_one_vote_is_no_certainty(tmp_path):
    page, path = write_report(votes_of([("a", "b", "left")]), tmp_path)
    data = json.loads(path.read_text())
    for item in data["items"]:
        assert item["nash"]["interval"] == [0, 1]
        low, high = item["bradley_terry"]["interval"]
        assert low < -300 and high > 300
    assert "2 of 2 items have fewer than 10 votes: a (1), b (1)" in data["notes"][0]
    assert "'a' never lost" in data["notes"][1] and data["notes"][0] in page.read_text()


@pytest.mark.parametrize("tied", [4, 30])
def test_ties_alone_have_intervals_with_a_width(tied):
    data = analyse(votes_of([("a", "b", "tie")] * tied), resamples=40).plain()
    for item in data["items"]:
        low, high = item["bradley_terry"]["interval"]
        assert high - low > 20 and item["nash"]["interval"] == [0, 1]


def test_many_votes_have_no_notes(cycle):
    assert analyse(cycle, resamples=2).notes == ()


def test_the_page_says_the_k_that_was_computed(cycle, tmp_path):
    page, path = write_report(cycle, tmp_path, resamples=2)
    settings = json.loads(path.read_text())["settings"]
    assert f"start {settings['elo_initial']:g}, k = {settings['elo_k']:g}" in page.read_text()
    elo = pg.ratings.elo(cycle, settings["elo_initial"], k=settings["elo_k"])
    for item in json.loads(path.read_text())["items"]:
        assert item["elo"]["score"] == pytest.approx(elo[item["name"]])


def test_an_anchor_and_weights(cycle):
    data = analyse(cycle, resamples=2, anchor="paper", weights=np.arange(1.0, len(cycle) + 1)).plain()
    by_name = {item["name"]: item["bradley_terry"] for item in data["items"]}
    assert by_name["paper"] == {"score": 0, "interval": [0, 0]}
    fit = pg.ratings.bradley_terry(cycle, weights=np.arange(1.0, len(cycle) + 1), anchor="paper")
    for name in cycle.items:
        assert by_name[name]["score"] == pytest.approx(fit[name] * 400 / np.log(10), abs=1e-6)
    assert data["settings"]["anchor"] == "paper" and data["settings"]["weighted"]
    with pytest.raises(ValueError, match="no item is named 'spock', to be the anchor"):
        analyse(cycle, anchor="spock")


def test_prompts_get_their_own_equilibrium(cycle):
    rows = [("a", "b", "left", "code")] * 60 + [("a", "b", "right", "code")] * 2
    rows += [("a", "b", "right", "poems")] * 50 + [("a", "b", "left", "poems")] * 2
    found = analyse(votes_of(rows), resamples=5).plain()["prompts"]
    by_name = {prompt["name"]: prompt for prompt in found["each"]}
    assert by_name["code"]["nash"] == {"a": 1.0} and by_name["poems"]["nash"] == {"b": 1.0}
    assert by_name["code"]["votes"] == 62 and by_name["poems"]["votes"] == 52
    assert found["worst_exploitability"] <= 1e-12 and found["pooled_mixture_exploitability"] > 0.1
    assert analyse(cycle, resamples=2).prompts is None


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(cycle, tmp_path):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        write_report(cycle, tmp_path / name, resamples=5, seed=seed)
    for file in ("report.html", "report.json"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b != c


def test_the_page_needs_nothing_else_and_holds_the_numbers(cycle, tmp_path):
    page, numbers = write_report(cycle, tmp_path, title="my votes", resamples=5)
    text, data = page.read_text(), json.loads(numbers.read_text())
    assert (
        not re.findall(r"""(?:src|href)=["'](?!data:)""", text)
        and "<script" not in text
        and "@import" not in text
    )
    assert (
        "default-src 'none'" in text and 'lang="en"' in text and "<title>Preference report: my votes" in text
    )
    images = re.findall(r'<img alt="([^"]+)" width="\d+" src="data:image/svg\+xml;base64,', text)
    assert len(images) == 2 and all(len(alt) > 20 for alt in images)
    for item in data["items"]:
        assert f'<td class="name">{item["name"]}</td>' in text
        assert f'<td class="n">{item["nash"]["probability"]:.3f}</td>' in text
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "report.json"]


EVIL = '<script>alert("1")</script>'


@pytest.mark.parametrize(
    "rows",
    [
        [("a", "b", "left")],
        [("a", "b", "tie")] * 3,
        [("a", "b", "tie"), ("b", "c", "tie"), ("c", "d", "tie")],
        [("a", "b", "left"), ("c", "d", "left")],  # two groups that never met
        [(EVIL, "b & <i>c</i>", "left"), ("b & <i>c</i>", "模型 $x$ \\frac{", "left")],
        [("x" * 500, "y\nz", "left"), ("y\nz", "x" * 500, "tie")],
    ],
    ids=["two items", "ties only", "ties in a chain", "two groups", "hostile names", "long names"],
)
def test_odd_votes_make_a_page(rows, tmp_path):
    page, numbers = write_report(votes_of(rows), tmp_path, title=EVIL, resamples=4)
    text, data = page.read_text(), json.loads(numbers.read_text())
    assert "<script" not in text and "<i>" not in text
    mixture = [item["nash"]["probability"] for item in data["items"]]
    assert sum(mixture) == pytest.approx(1) and data["nash"]["exploitability"] <= 1e-12
    assert 0 <= data["transitive_share"]["value"] <= 1 + 1e-12


def test_votes_on_human_judgements_end_to_end(shared_data, tmp_path):
    """llmfao: 8,931 votes, 59 models, 13 prompts; the ratings against the golden file of its authors."""
    votes = pg.Comparisons.read(shared_data / "evalica" / "llmfao.csv")
    _, path = write_report(votes, tmp_path, title="llmfao.csv", resamples=10)
    data = json.loads(path.read_text())
    assert data["votes"] == {
        "count": 8931,
        "items": 59,
        "prompts": 13,
        "ties": 3471,
        "pairs": 1711,
        "pairs_compared": 927,
    }
    assert data["nash"]["exploitability"] <= 1e-12
    contextual = data["prompts"]
    assert len(contextual["each"]) == 13 and contextual["worst_exploitability"] <= 1e-12
    assert sum(prompt["votes"] for prompt in contextual["each"]) == 8931
    golden = {}
    for line in (shared_data / "evalica" / "llmfao-golden.csv").read_text().splitlines()[1:]:
        method, rest = line.split(",", 1)
        name, score = rest.rsplit(",", 1)
        golden[method, name.strip('"')] = float(score)
    for item in data["items"]:
        assert item["elo"]["score"] == pytest.approx(golden["elo", item["name"]], rel=1e-12)
        assert item["win_rate"] == pytest.approx(golden["average_win_rate", item["name"]], rel=1e-12)
    ours = sorted(data["items"], key=lambda item: -item["bradley_terry"]["score"])
    theirs = sorted(data["names"], key=lambda name: -golden["bradley_terry", name])
    assert [item["name"] for item in ours] == theirs


def test_a_report_into_a_file_is_refused_before_any_work(cycle, tmp_path):
    target = tmp_path / "file"
    target.write_text("mine")
    with pytest.raises(ValueError, match="is a file, and a folder is needed"):
        write_report(cycle, target)
    assert target.read_text() == "mine"
