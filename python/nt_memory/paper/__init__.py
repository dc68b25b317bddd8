"""Paper trading: agents decide on bars as they come; what they hold outlasts the process."""

from nt_memory.paper.broker import Broker, Fill, Order
from nt_memory.paper.feed import Feed, ReplayFeed
from nt_memory.paper.simulated import SimulatedBroker
from nt_memory.paper.step import PaperStep
from nt_memory.paper.trader import PaperTrader

__all__ = [
    "Broker",
    "Feed",
    "Fill",
    "Order",
    "PaperStep",
    "PaperTrader",
    "ReplayFeed",
    "SimulatedBroker",
]
