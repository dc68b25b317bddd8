"""How an error shows a value that somebody else gave."""

from __future__ import annotations

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 3
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = _SHORT.maxdict = 8
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


def shown(value: object) -> str:
    """Return a short ``repr`` that never fails, however deep, long or broken the value is.

    Examples
    --------
    >>> shown("SPY")
    "'SPY'"
    """
    try:
        return _SHORT.repr(value)
    except Exception:  # noqa: BLE001 (what a value's own code raises)
        return f"<{type(value).__name__}>"
