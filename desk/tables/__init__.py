"""The tables of the desk.

Events are append-only (triggers refuse anything else); ticket states are their fold. So are macro events, and what a
macro version says never changes.
"""

from desk.tables.access import (
    account_sessions,
    accounts,
    api_keys,
    audit_entries,
    erasure_gate,
    provider_sign_ins,
    sign_in_attempts,
)
from desk.tables.chat import chat_sessions, chat_turns
from desk.tables.intake import deliveries, jobs
from desk.tables.macros import macro_events, macro_versions
from desk.tables.mail import mail_folders, mail_messages, mail_problems, outbox
from desk.tables.sla import sla_clocks, sla_policies
from desk.tables.tickets import events, orders, ticket_states, tickets
from desk.tables.types import StoredJson, StoredText, UtcDateTime, insert_new, metadata, storable, upsert

__all__ = [
    "StoredJson",
    "StoredText",
    "UtcDateTime",
    "account_sessions",
    "accounts",
    "api_keys",
    "audit_entries",
    "chat_sessions",
    "chat_turns",
    "deliveries",
    "erasure_gate",
    "events",
    "insert_new",
    "jobs",
    "macro_events",
    "macro_versions",
    "mail_folders",
    "mail_messages",
    "mail_problems",
    "metadata",
    "orders",
    "outbox",
    "provider_sign_ins",
    "sign_in_attempts",
    "sla_clocks",
    "sla_policies",
    "storable",
    "ticket_states",
    "tickets",
    "upsert",
]
