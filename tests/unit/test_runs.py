"""Runs in their folders: found, read back, compared."""

import json
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum

import numpy as np
import pytest

from experiments import made_up_experiment
from markets import gappy_market, random_bars
from nt_memory.backtest import Market, Settings, Stance, run_backtest
from nt_memory.backtest.bootstrap import sharpe_differences
from nt_memory.backtest.runs import (
    compare_runs,
    find_runs,
    new_folder,
    read_returns,
    read_run,
    returns_table,
)

SETTINGS = Settings(train=30, resamples=100)


class Drawn:
    """Draws its weights by lot."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def decide(self, past):
        share = 1.0 / len(past.symbols)
        return Stance({name: share * float(self.rng.integers(-1, 2)) for name in past.symbols})


@contextmanager
def by_lot(stage):
    seed = stage.settings.seed
    yield {"memory": Drawn([seed, 0]), "no memory": Drawn([seed, 1])}


def run(folder, bars=None, settings=SETTINGS, strategies=by_lot, **extras):
    market = Market([random_bars(120)] if bars is None else bars)
    return run_backtest(market, strategies, settings, folder, **extras)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_same_run_twice_is_the_same_bytes(tmp_path):
    run(tmp_path / "one")
    run(tmp_path / "two")
    run(tmp_path / "three", settings=replace(SETTINGS, seed=1))
    one, two, three = (files(tmp_path / name) for name in ("one", "two", "three"))
    assert set(one) == {"report.html", "run_card.json", "returns.csv"}
    assert one == two
    assert all(one[name] != three[name] for name in one)


def test_windows_trade_what_they_say_and_are_flat_between(tmp_path):
    settings = replace(SETTINGS, test=20, step=30, sizing=replace(SETTINGS.sizing, sleeves=False))
    made = run(tmp_path, settings=settings)
    experiment = made.experiment
    decided = set(experiment.stances["memory"])
    assert decided == {step for window in experiment.windows for step in window.test}
    weights = experiment.arms["memory"].weights
    between = [
        step for step in range(experiment.start, len(experiment.market)) if step not in decided
    ]
    assert between
    assert not weights[[step - experiment.start for step in between]].any()
    assert sorted(path.name for path in (tmp_path / "windows").iterdir()) == ["1", "2", "3"]


def test_each_window_has_new_strategies_that_see_its_training_first(tmp_path):
    seen = []

    @contextmanager
    def watched(stage):
        steps = []
        seen.append(steps)

        class Watch:
            def decide(self, past):
                steps.append(len(past) - 1)
                assert stage.clock.now() == past.closed_at(-1)
                return Stance({})

        yield {"memory": Watch(), "no memory": Drawn(0)}

    made = run(tmp_path, settings=replace(SETTINGS, test=40), strategies=watched)
    assert seen == [[*window.train, *window.test] for window in made.experiment.windows]


def test_buy_and_hold_buys_each_symbol_once(tmp_path):
    market = gappy_market(90, 2)
    made = run_backtest(market, by_lot, SETTINGS, tmp_path)
    arm = made.experiment.arms["buy and hold"]
    traded = arm.run.traded > 0.0
    assert traded.sum(axis=0).tolist() == [1, 1, 1]
    # A third of the money at the start, whatever the equity is by then.
    equity = np.concatenate([[1.0], np.cumprod(1.0 + arm.run.returns)])[:-1]
    money = (arm.run.traded * equity[:, np.newaxis])[traded]
    assert money == pytest.approx(1.0 / 3.0, rel=2e-2)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"XXX": 1.0}, "XXX"),
        ({"TEST": 1.5}, "1.5"),
        ({"TEST": float("nan")}, "nan"),
        ({"TEST": "1"}, "'1'"),
    ],
)
def test_a_weight_that_cannot_be_names_the_arm(tmp_path, weights, told):
    class Odd:
        def decide(self, past):
            return Stance(weights)

    @contextmanager
    def odd(stage):
        yield {"memory": Odd(), "no memory": Drawn(0)}

    with pytest.raises(ValueError, match=f"memory: .*{told}"):
        run(tmp_path, strategies=odd)


@pytest.mark.parametrize("kind", [float, int, np.float32, np.int64])
def test_a_weight_may_be_of_any_kind_of_number(tmp_path, kind):
    class Long:
        def decide(self, past):
            return Stance({"TEST": kind(1)})

    @contextmanager
    def long(stage):
        yield {"memory": Long(), "no memory": Drawn(0)}

    made = run(tmp_path, strategies=long)
    assert (made.experiment.arms["memory"].weights == 1.0).all()


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"baseline": "none"}, "'none'"), ({"variants": ("other",)}, "'other'")],
)
def test_an_arm_that_is_not_there_is_named(tmp_path, changed, told):
    with pytest.raises(ValueError, match=told):
        run(tmp_path, settings=replace(SETTINGS, **changed))


class Moody(str, Enum):
    """A regime as an enumeration."""

    WILD = "WILD"


def test_a_strategy_may_tell_the_regime_itself(tmp_path):
    class Told(Drawn):
        def decide(self, past):
            told = Moody.WILD if len(past) % 2 else None
            return replace(super().decide(past), regime=told)

    @contextmanager
    def telling(stage):
        yield {"memory": Told(0), "no memory": Drawn(1)}

    made = run(tmp_path, strategies=telling).experiment
    assert made.regimes == (*[None] * 30, *[None if n % 2 else "WILD" for n in range(30, 120)])
    assert "</i>wild <b>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_labels_that_are_given_go_before_those_that_are_told(tmp_path):
    assert run(tmp_path, regimes=[Moody.WILD] * 120).experiment.regimes == ("WILD",) * 120


def test_decay_is_asked_for_when_all_has_been_traded(tmp_path):
    steps = []
    made = run(
        tmp_path,
        on_step=lambda: steps.append(1),
        decay=lambda: {"signal": [(0.0, 1.0), (float(len(steps)), 0.5)]},
    )
    assert made.experiment.decay == {"signal": [(0.0, 1.0), (120.0, 0.5)]}


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    run(tmp_path)
    before = files(tmp_path)
    with pytest.raises(ValueError, match="is not empty"):
        run(tmp_path, settings=replace(SETTINGS, seed=1))
    assert files(tmp_path) == before


def test_labels_must_be_one_a_step(tmp_path):
    with pytest.raises(ValueError, match="regimes: 2 labels for 120 steps"):
        run(tmp_path, regimes=["QUIET", "CRISIS"])


def test_each_variant_is_compared_with_the_baseline(tmp_path):
    @contextmanager
    def tried(stage):
        names = ("memory", "no memory", "half-life 30", "half-life 60")
        yield {name: Drawn(place) for place, name in enumerate(names)}

    variants = ("half-life 30", "half-life 60")
    made = run(tmp_path, settings=replace(SETTINGS, variants=variants), strategies=tried)
    assert list(made.experiment.intervals) == [
        ("memory", "no memory"),
        ("memory", "buy and hold"),
        ("half-life 30", "no memory"),
        ("half-life 60", "no memory"),
    ]
    assert {interval.family for interval in made.experiment.intervals.values()} == {4}


def test_returns_are_read_back_as_they_were(tmp_path):
    experiment = made_up_experiment()
    (tmp_path / "returns.csv").write_text(returns_table(experiment), encoding="utf-8")
    times, columns = read_returns(tmp_path)
    assert times == experiment.market.times[experiment.start + 1 :].tolist()
    for name, arm in experiment.arms.items():
        assert columns[name].tobytes() == arm.run.returns.tobytes()


def test_runs_are_found_by_name_and_number(tmp_path):
    for name in ("run-10", "run-9", "other"):
        run(tmp_path / name)
    (tmp_path / "no run").mkdir()
    found, problems = find_runs(tmp_path)
    assert [made.folder.name for made in found] == ["other", "run-9", "run-10"]
    assert problems == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"main": "memory", "arms": {}}', "\x00"])
def test_a_damaged_card_is_told_and_hides_no_other(tmp_path, text):
    run(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "run_card.json").write_text(text, encoding="utf-8")
    found, problems = find_runs(tmp_path)
    assert [made.folder.name for made in found] == ["good"]
    assert len(problems) == 1
    assert "bad" in problems[0]
    assert "run it again" in problems[0]


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(ValueError, match="no run at"):
        read_run(tmp_path)
    with pytest.raises(ValueError, match="no folder"):
        find_runs(tmp_path / "none")


def test_a_comparison_tells_what_differs_and_nothing_else(tmp_path):
    run(tmp_path / "one")
    run(tmp_path / "two", settings=replace(SETTINGS, seed=1, holding=3))
    found = compare_runs([tmp_path / "one", tmp_path / "two"])
    assert found.differing == {"parameters.seed": [0, 1], "parameters.holding": [5, 3]}


def test_runs_on_the_same_bars_have_intervals_that_hold_together(tmp_path):
    made = [run(tmp_path / str(seed), settings=replace(SETTINGS, seed=seed)) for seed in range(3)]
    found = compare_runs([one.folder for one in made], seed=4, resamples=300)
    returns = {str(n): one.experiment.arms["memory"].run.returns for n, one in enumerate(made)}
    pairs = [("0", "1"), ("0", "2")]
    assert found.intervals == sharpe_differences(returns, pairs, seed=4, resamples=300)


@pytest.mark.parametrize(
    "other", [{"bars": [random_bars(120, 1)]}, {"settings": replace(SETTINGS, train=40)}]
)
def test_runs_on_other_bars_have_none(tmp_path, other):
    run(tmp_path / "one")
    run(tmp_path / "two", **other)
    assert compare_runs([tmp_path / "one", tmp_path / "two"]).intervals == []


def test_a_comparison_needs_two_runs(tmp_path):
    run(tmp_path / "one")
    with pytest.raises(ValueError, match="two or more"):
        compare_runs([tmp_path / "one"])
    with pytest.raises(ValueError, match="twice"):
        compare_runs([tmp_path / "one", tmp_path / "one" / "."])


def test_damaged_returns_are_told(tmp_path):
    run(tmp_path / "one")
    run(tmp_path / "two")
    (tmp_path / "two" / "returns.csv").write_text("time,memory\n1,x\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"returns.csv: cannot be read"):
        compare_runs([tmp_path / "one", tmp_path / "two"])


def test_new_folders_are_numbered_after_those_that_are_there(tmp_path):
    (tmp_path / "run-7").mkdir()
    (tmp_path / "run-x").mkdir()
    assert new_folder(tmp_path, "run").name == "run-8"


def test_the_card_is_json_without_a_word_of_where_it_was_run(tmp_path):
    run(tmp_path)
    text = (tmp_path / "run_card.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert json.loads(text)["data"]["TEST"]["bars"] == 120
