"""``ntm regimes``: what it prints, draws and refuses."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from markets import written
from nt_memory import RegimeDetectionAgent
from nt_memory.backtest import load_sp500
from nt_memory.cli.regimes_page import page

BARS = load_sp500().head(2650)


@pytest.fixture
def prices(tmp_path):
    """A file of daily bars."""
    return written(tmp_path / "SPX.csv", BARS)


class Page(HTMLParser):
    """What a page is made of, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.addresses += [value for key, value in attrs if key in {"src", "href"}]
        if tag not in {"meta", "rect", "path"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def drawn(bars):
    found = RegimeDetectionAgent().predict(bars)
    from nt_memory.cli.regimes import summary

    return page(bars, found, summary(bars, found), 100), found


def test_the_last_regime_and_all_shares_are_told(ntm, prices):
    code, out, _ = ntm("regimes", prices)
    assert code == 0
    assert "SPX is VOLATILE since 2009-" in out
    for regime in ("TRENDING", "MEAN_REVERTING", "VOLATILE", "QUIET", "CRISIS"):
        assert regime in out


@pytest.mark.parametrize("symbol", ["[/b]", "[bold]SPX", "[/]", ":smile:", "SPX\\"])
def test_what_a_file_names_its_symbol_is_text_on_a_terminal(ntm, prices, symbol):
    code, out, err = ntm("regimes", prices, "--symbol", symbol, "--plot")
    assert code == 0
    assert [line for line in err.splitlines() if "holidays count" not in line] == []
    assert f"{symbol} is VOLATILE since 2009-" in out
    assert symbol.replace("/", "-") + "-regimes.html" in out


def test_prices_of_any_size_are_told(ntm, tmp_path):
    rows = [
        f"{n // 28 + 2000}-01-{n % 28 + 1:02}," + ",".join(["1e300", "1e-300"][n % 2 :][:1] * 4)
        for n in range(130)
    ]
    file = tmp_path / "wide.csv"
    file.write_text("\n".join(["Date,Open,High,Low,Close", *rows]))
    code, out, err = ntm("regimes", file)
    assert code == 0
    assert [line for line in err.splitlines() if "holidays count" not in line] == []
    assert "wide is " in out


def test_json_tells_what_the_agent_tells(ntm, prices):
    code, out, _ = ntm("regimes", prices, "--symbol", "S&P", "--lookback", "60", "--json")
    told = json.loads(out)
    found = RegimeDetectionAgent(lookback=60).predict(BARS)
    assert code == 0
    assert (told["symbol"], told["bars"], told["plot"]) == ("S&P", len(BARS), None)
    assert (told["regime"], told["confidence"]) == (
        found.labels[-1].value,
        pytest.approx(found.confidences[-1]),
    )
    spells = [(spell.regime.value, spell.stop - spell.start) for spell in found.spells()]
    assert [(spell["regime"], spell["bars"]) for spell in told["spells"]] == spells
    assert sum(row["bars"] for row in told["regimes"]) == len(BARS) - 59
    assert sum(row["share"] for row in told["regimes"]) == pytest.approx(1.0)


def test_a_plot_is_one_file_that_needs_nothing_else(ntm, prices, tmp_path):
    code, out, _ = ntm("regimes", prices, "--plot")
    assert code == 0
    assert "SPX-regimes.html" in out
    text = (tmp_path / "SPX-regimes.html").read_text(encoding="utf-8")
    made = Page(text)
    assert made.addresses == []
    assert "http" not in text.replace("http-equiv", "")
    assert not made.open
    ntm("regimes", prices, "--plot", "--json")
    assert (tmp_path / "SPX-regimes.html").read_text(encoding="utf-8") == text


def test_each_spell_is_shaded_where_it_was():
    text, found = drawn(BARS)
    shaded = [attrs for tag, attrs in Page(text).tags if tag == "rect"]
    spells = found.spells()
    assert len(shaded) == 2 * len(spells)  # once behind the price, once in its lane
    step = 1000.0 / (len(BARS) - 1)
    for spell, attrs in zip(spells, shaded, strict=False):
        assert attrs["class"] == spell.regime.value.lower().replace("_", "-")
        assert float(attrs["x"]) == pytest.approx(spell.start * step, abs=0.06)


@pytest.mark.parametrize("bars", [BARS.head(100), BARS.window(300, 600)])
def test_short_series_are_drawn(bars):
    assert bars.symbol in drawn(bars)[0]


def test_what_a_file_names_its_symbol_is_text_on_the_page():
    bars = BARS.head(200)
    object.__setattr__(bars, "symbol", "<b>&")
    text = drawn(bars)[0]
    assert "<b>&" not in text
    assert "&lt;b&gt;&amp; is" in text


def test_a_constant_price_is_drawn():
    from regimes import bars_of_closes

    assert "is quiet" in drawn(bars_of_closes(np.full(300, 5.0)))[0]


def test_too_few_bars_are_one_line_with_the_way_out(ntm, tmp_path):
    file = tmp_path / "short.csv"
    file.write_text("Date,Open,High,Low,Close\n2024-01-02,1,1,1,1\n")
    code, _, err = ntm("regimes", file)
    assert code == 1
    assert "1 bars: give 100, or a smaller --lookback" in err
    assert err.count("\n") == 1


def test_no_file_is_one_line(ntm, tmp_path):
    code, _, err = ntm("regimes", tmp_path / "none.csv")
    assert code == 1
    assert err.count("\n") == 1


def test_a_short_lookback_is_a_usage_error(ntm, prices):
    assert ntm("regimes", prices, "--lookback", "10")[0] == 2
