"""Definitions of tools that wait for their owner: kept, shown, approved, and by the owner alone."""

from gateway.approvals.approvals import Approval, Approvals, Decision
from gateway.approvals.keeper import PinKeeper

__all__ = ["Approval", "Approvals", "Decision", "PinKeeper"]
