"""By when is an answer owed? Policies as data, clocks computed from the ledger, and who must be told.

    policies.yaml -> Policies ----.
    events of a ticket -----------+-> clocks_of -> sla_clocks (kept in step with the ledger) -> watch -> events

Names that others use are re-exported here; `desk.sla.durations` and `desk.sla.calendar` say what a length of time is.
"""

from desk.sla.calendar import AlwaysOpen, BusinessHours, Calendar, Opening
from desk.sla.clocks import Clock, ClockState, clocks_of
from desk.sla.policies import Match, Policies, Subject, load_policies, starter_policies
from desk.sla.policy_file import ClockKind

__all__ = [
    "AlwaysOpen",
    "BusinessHours",
    "Calendar",
    "Clock",
    "ClockKind",
    "ClockState",
    "Match",
    "Opening",
    "Policies",
    "Subject",
    "clocks_of",
    "load_policies",
    "starter_policies",
]
