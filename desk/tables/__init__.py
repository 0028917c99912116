"""The tables of the desk.

Events are append-only (triggers refuse anything else); ticket states are their fold. So are macro events, and what a
macro version says never changes.
"""

from desk.tables.chat import chat_sessions, chat_turns
from desk.tables.intake import deliveries, jobs
from desk.tables.macros import macro_events, macro_versions
from desk.tables.tickets import events, orders, ticket_states, tickets
from desk.tables.types import StoredJson, StoredText, UtcDateTime, insert_new, metadata, storable, upsert

__all__ = [
    "StoredJson",
    "StoredText",
    "UtcDateTime",
    "chat_sessions",
    "chat_turns",
    "deliveries",
    "events",
    "insert_new",
    "jobs",
    "macro_events",
    "macro_versions",
    "metadata",
    "orders",
    "storable",
    "ticket_states",
    "tickets",
    "upsert",
]
