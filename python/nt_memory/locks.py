"""`LockToken`: a lock that is held, and the fence that writes carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nt_memory._shown import shown
from nt_memory.errors import StaleTokenError
from nt_memory.store import Fence

if TYPE_CHECKING:
    from datetime import datetime

    from nt_memory.shared_store import Locks


@dataclass(frozen=True, slots=True)
class LockToken:
    """A lock that somebody holds until its lease ends.

    Parameters
    ----------
    resource
        What is locked.
    owner
        Who holds it.
    number
        The fence: greater than that of every earlier token of this memory,
        also over restarts.
    expires_at
        When the lease ends by itself, by the memory's clock.
    memory
        Which memory it is of.
    """

    resource: str
    owner: str
    number: int
    expires_at: datetime
    memory: int = field(repr=False)

    def fence(self, locks: Locks) -> Fence:
        """Return the precondition for a batch.

        Raises
        ------
        StaleTokenError
            The token is of another memory.
        """
        if self.memory != locks.identity:
            msg = f"{shown(self)} is a token of another memory: acquire the lock from this one"
            raise StaleTokenError(msg)
        return Fence(self.resource, self.number)


def checked(token: object) -> LockToken:
    """Return a token.

    Raises
    ------
    TypeError
        It is none.
    """
    if isinstance(token, LockToken):
        return token
    msg = f"token={shown(token)}: give the LockToken that acquire_lock returned"
    raise TypeError(msg)
