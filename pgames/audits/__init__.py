"""The audit of votes: what is wrong with a board before its ratings are believed."""

from pgames.audits.audit import Audit, audit
from pgames.audits.finding import Finding

__all__ = ["Audit", "Finding", "audit"]
