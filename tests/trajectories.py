"""Trajectories for tests."""

import numpy as np

from builders import axis, day
from nt_memory import Trajectory


def decided(n=0, *, reward=None, predicted=0.02, agent="hedge", done="buy", **more):
    """Return a trajectory that began and ended on day n, its outcome known a day later."""
    vector = more.pop("vector", axis(0))
    confidence = more.pop("confidence", None)
    data = more.pop("data", {"trend": 0.5, "close": 100.25 + n})
    known = more.pop("known", n + 1)
    made = Trajectory(agent, start_time=day(n), **more)
    if data is not None:
        made.add_observation(data, vector, at=day(n))
    made.add_action(done, {"quantity": 10}, predicted, confidence=confidence, at=day(n))
    made.complete(day(n))
    if reward is not None:
        made.add_outcome(reward, known_at=day(known))
    return made


def near(n, seed=0, spread=0.05):
    """Return a vector near one of the axes."""
    rng = np.random.default_rng(seed)
    return (np.array(axis(n)) + spread * rng.standard_normal(4)).astype(np.float32)
