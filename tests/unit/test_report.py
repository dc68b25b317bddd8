"""The report and the run card: self-contained, repeatable, true to the run."""

import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import SMALL, TOP_K, made_up_experiment
from nt_memory.backtest import load_sp500, periods, walk_forward
from nt_memory.backtest.bootstrap import Interval
from nt_memory.backtest.report import charts, days, page, recalled, regimes, render, run_card, words
from nt_memory.policy import StateEncoder

EXPERIMENT = made_up_experiment()
CARD = run_card(EXPERIMENT, "scalar")


class Balance(HTMLParser):
    """Check that every element that opens is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Leave the elements that close themselves out."""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html():
    return render(EXPERIMENT, CARD)


def test_the_report_needs_nothing_from_outside(html):
    assert not re.search(r"https?:|//\w|\bsrc=|@import|url\(|<link", html.replace("// Reads", ""))
    assert "default-src 'none'" in html


def test_the_report_is_well_formed(html):
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    assert "$" not in html
    assert "nan" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def test_the_report_says_whether_memory_helps(html):
    assert f"<h1>{EXPERIMENT.verdict.capitalize()}.</h1>" in html


def test_the_report_draws_every_arm(html):
    for css in ("memory", "plain", "shuffled", "hold"):
        assert f'class="line {css}"' in html
        assert f'class="fill {css}"' in html


def test_the_same_run_gives_the_same_bytes(html):
    again = made_up_experiment()
    assert render(again, run_card(again, "scalar")) == html


def test_the_run_card_is_json_with_what_is_needed_to_repeat_the_run():
    card = json.loads(json.dumps(CARD, allow_nan=False))
    assert len(card["data"]["TEST"]["sha256"]) == 64
    assert card["parameters"]["seed"] == SMALL.seed
    assert card["distance_kernel"] == "scalar"
    assert card["arms"]["memory"]["sharpe"] == EXPERIMENT.arms["memory"].metrics.sharpe
    assert set(card["sharpe_differences"]) == {
        "memory - no memory",
        "memory - shuffled memory",
        "memory - buy and hold",
    }


def test_what_is_traded_follows_what_is_learnt_from():
    split = CARD["split"]
    assert split["first_train"]["bars"] + split["traded"]["bars"] == len(EXPERIMENT.market)
    assert split["first_train"]["last"] < split["traded"]["first"]


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.1, 0.3, "no evidence that memory helps"),
        (0.1, 0.3, "memory helped"),
        (-0.3, -0.1, "memory hurt"),
    ],
)
def test_the_verdict_follows_the_interval(low, high, verdict):
    interval = Interval((low + high) / 2, low, high, 0.95, 100, 5.0)
    experiment = replace(EXPERIMENT, intervals={("memory", "no memory"): interval})
    assert experiment.verdict == verdict


def test_the_chosen_days_hold_the_best_and_the_worst_call():
    told = {day.reason: day for day in recalled.chosen_days(EXPERIMENT)}
    bars = EXPERIMENT.market["TEST"]
    gains = [
        stance.weights["TEST"] * bars.outcome(bar, SMALL.holding)
        for bar, stance in EXPERIMENT.stances["memory"].items()
        if bar + SMALL.holding < len(bars)
    ]
    best, worst = told["Its best call"].call, told["Its worst call"].call
    assert best.direction * best.outcome == max(gains)
    assert worst.direction * worst.outcome == min(gains)


def test_a_run_over_2008_tells_of_its_autumn():
    experiment = made_up_experiment(load_sp500().window(1900, 2600))
    autumn = recalled.chosen_days(experiment)[0].call
    assert autumn.at.year == 2008
    assert autumn.at.month in {9, 10, 11}


def test_a_run_without_any_evidence_has_no_days_to_tell_of():
    experiment = replace(EXPERIMENT, stances={})
    assert recalled.chosen_days(experiment) == []
    assert "No decision in this span" in render(experiment, CARD)


def test_the_shares_of_likeness_add_up_to_the_mean_cosine():
    day = recalled.chosen_days(EXPERIMENT)[0]
    bars = EXPERIMENT.market["TEST"]
    states = StateEncoder().encode_all(bars)
    index = {bars.closed_at(bar): bar for bar in range(len(bars))}
    here = states[day.call.bar].astype(float)
    cosines = [float(here @ states[index[a.at]]) for a in day.call.remembered.analogues]
    assert sum(day.alike.values()) == pytest.approx(np.mean(cosines), abs=1e-6)


def test_a_card_tells_the_call_and_cites_its_recall():
    day = recalled.chosen_days(EXPERIMENT)[0]
    card = days.card(day, SMALL.holding)
    assert day.call.remembered.recall_id in card
    assert words.day(day.call.at) in card
    assert card.count('<td class="swing">') == TOP_K


def test_the_lede_names_the_difference_and_its_interval():
    interval = EXPERIMENT.decisive
    text = page.lede(EXPERIMENT)
    for value in (abs(interval.difference), interval.low, interval.high):
        assert words.number(value) in text


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert words.number(-1234.5, 1) == "\N{MINUS SIGN}1,234.5"
    assert words.number(-0.001) == "0.00"
    assert words.number(0.5, sign=True) == "+0.50"
    assert words.number(None) == "\N{EN DASH}"
    assert words.percent(-0.123) == "\N{MINUS SIGN}12.3\N{NARROW NO-BREAK SPACE}%"


def test_days_are_written_out():
    assert words.day(datetime(2008, 10, 9, 21, tzinfo=timezone.utc)) == "9 October 2008"


def test_buckets_cover_every_bar_once():
    runs = charts.buckets(4402)
    assert len(runs) <= charts.POINTS
    assert [bar for start, stop in runs for bar in range(start, stop)] == list(range(4402))


def test_labels_are_moved_apart():
    moved = charts.spread_out([0.50, 0.51, 0.52], gap=0.1)
    assert np.diff(moved) == pytest.approx(0.1, abs=1e-3)


def test_round_ticks_hold_zero_and_stay_inside():
    ticks = charts.round_ticks(-0.13, 0.42)
    assert 0.0 in ticks
    assert ticks[0] >= -0.13
    assert ticks[-1] <= 0.42
    assert 3 <= len(ticks) <= 8


LABELS = ["QUIET", "MEAN_REVERTING", "CRISIS", None]


def labelled(**extras):
    labels = [LABELS[bar // 20 % 4] for bar in range(len(EXPERIMENT.market))]
    return replace(EXPERIMENT, regimes=labels, **extras)


def test_regimes_are_shaded_with_their_shares():
    experiment = labelled()
    html = render(experiment, CARD)
    traded = experiment.regimes[experiment.start :]
    share = words.percent(traded.count("CRISIS") / len(traded), 0)
    assert f"</i>crisis <b>{share}</b>" in html
    assert "mean reverting" in html
    assert "Shaded: the regime known" in html


@given(st.lists(st.sampled_from(["QUIET", "odd <one>", None]), min_size=1, max_size=60).map(tuple))
def test_the_bands_cover_each_step_of_their_regime(labels):
    runs = [(step, step + 1) for step in range(len(labels))]
    drawn = re.findall(
        r'regime (r-\d)" x="([\d.]+)" y="0" width="([\d.]+)"', regimes.bands(labels, runs)
    )
    css = regimes.styles(labels)
    width = charts.WIDTH / max(len(labels) - 1, 1)
    for step, label in enumerate(labels):
        at = step * width
        within = [
            name for name, x, wide in drawn if float(x) - 0.1 <= at <= float(x) + float(wide) + 0.1
        ]
        assert within == ([] if label is None else [css[label]])


def test_without_regimes_nothing_is_shaded(html):
    assert 'class="regime' not in html
    assert "Shaded" not in html


def test_the_months_and_years_are_those_of_the_main_arm(html):
    times = EXPERIMENT.market.times[EXPERIMENT.start + 1 :]
    for year, made in periods.annual_returns(times, EXPERIMENT.arms["memory"].run.returns).items():
        assert f'<tr><th scope="row">{year}</th>' in html
        assert f'<td class="sum">{words.number(100 * made, 1)}</td>' in html


def test_the_worst_fall_is_told(html):
    deepest = EXPERIMENT.arms["memory"].metrics.max_drawdown
    table = html[html.index('<table class="falls">') :]
    assert words.percent(deepest) in table[: table.index("</tr><tr>", table.index("<tbody>"))]


def test_one_window_has_no_table_of_windows(html):
    assert "Window by window" not in html


def test_several_windows_are_told_one_by_one():
    windows = walk_forward(len(EXPERIMENT.market), train=EXPERIMENT.start - 5, test=30, holding=5)
    html = render(replace(EXPERIMENT, windows=windows), CARD)
    table = html[html.index('<table class="windows">') :]
    assert table[: table.index("</table>")].count("<tr><th") == len(windows)


def test_who_earned_what_adds_up_in_the_table():
    stances = {
        step: replace(stance, contributions={"one <agent>": stance.weights})
        for step, stance in EXPERIMENT.stances["memory"].items()
    }
    experiment = labelled(stances={"memory": stances})
    html = render(experiment, CARD)
    table = html[html.index('<table class="earned">') :]
    table = table[: table.index("</table>")]
    total = words.number(100 * experiment.arms["memory"].metrics.total_return, 1, sign=True)
    assert "one &lt;agent&gt;" in table
    assert table.endswith(f"<td>{total}</td></tr></tfoot>")
    head = re.findall(r'<th scope="col">([^<]*)</th>', table)
    assert head == ["quiet", "mean reverting", "crisis", "none", "sum"]


def test_decay_curves_are_drawn_where_they_are_given(html):
    assert "How memories age" not in html
    given_curves = {"signal": [(0, 1.0), (10, 0.5)], "nothing": []}
    drawn = render(replace(EXPERIMENT, decay=given_curves), CARD)
    assert "How memories age" in drawn
    assert ">signal</span>" in drawn
    assert ">nothing</span>" not in drawn


def test_names_of_arms_cannot_break_the_page():
    arms = dict(EXPERIMENT.arms)
    odd = "</script><b>odd & $1"
    arms[odd] = replace(arms["shuffled memory"], name=odd)
    html = render(replace(EXPERIMENT, arms=arms), CARD)
    assert "<b>odd" not in html
    parser = Balance()
    parser.feed(html)
    assert parser.open == []


@pytest.mark.parametrize(
    ("plain", "placebo", "doubted"),
    [
        ((0.1, 0.3), (-0.1, 0.2), True),
        ((0.1, 0.3), (0.1, 0.2), False),
        ((-0.1, 0.3),) * 2 + (False,),
    ],
)
def test_help_that_a_placebo_gives_too_is_doubted(plain, placebo, doubted):
    made = [Interval(sum(ends) / 2, *ends, 0.95, 100, 5.0) for ends in (plain, placebo)]
    names = [("memory", "no memory"), ("memory", "shuffled memory")]
    text = page.lede(replace(EXPERIMENT, intervals=dict(zip(names, made, strict=True))))
    assert f"({words.number(placebo[0])} to {words.number(placebo[1])})" in text
    assert ("need not be what was remembered" in text) == doubted


def test_settings_are_written_as_a_reader_would(html):
    assert "<dt>parameters test</dt><dd>\N{EN DASH}</dd>" in html
    assert "<dt>parameters sizing sleeves</dt><dd>yes</dd>" in html
