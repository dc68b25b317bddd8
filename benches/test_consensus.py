"""A proposal and the votes that decide it: four durable commits, each vote judged and announced."""

from __future__ import annotations

from fractions import Fraction

from nt_memory import Approved, ConsensusEngine, MemorySystem, Proposal, Vote

AGENTS = ("hedge", "trend", "carry")
ROUNDS = 200


def test_voting(tmp_path, timed):
    with MemorySystem(tmp_path / "store") as memory:
        consensus = ConsensusEngine(memory)
        for agent in AGENTS:
            consensus.register_agent(agent)

        def decide(_: int) -> None:
            id_ = consensus.submit_proposal(
                Proposal(proposer="hedge", data={"action": "rebalance"}, quorum=Fraction(1))
            )
            results = [consensus.vote(Vote(id_, agent, approve=True)) for agent in AGENTS]
            assert results[-1] == Approved()

        timed("consensus/proposal_voting_3_agents", decide, ROUNDS)
