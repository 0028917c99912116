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
from desk.tables.chat import chat_sessions, chat_turns, proof_attempts, reason_autonomy
from desk.tables.clients import chat_ratings, client_senders
from desk.tables.intake import deliveries, jobs
from desk.tables.macros import macro_events, macro_versions
from desk.tables.mail import mail_folders, mail_messages, mail_problems, outbox
from desk.tables.sla import sla_clocks, sla_policies
from desk.tables.teamwork import agents_seen, mentions, presence, team_turns
from desk.tables.tickets import events, orders, ticket_states, tickets
from desk.tables.types import StoredJson, StoredText, UtcDateTime, insert_new, metadata, storable, upsert

__all__ = [
    "StoredJson",
    "StoredText",
    "UtcDateTime",
    "account_sessions",
    "accounts",
    "agents_seen",
    "api_keys",
    "audit_entries",
    "chat_ratings",
    "chat_sessions",
    "chat_turns",
    "client_senders",
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
    "mentions",
    "metadata",
    "orders",
    "outbox",
    "presence",
    "proof_attempts",
    "provider_sign_ins",
    "reason_autonomy",
    "sign_in_attempts",
    "sla_clocks",
    "sla_policies",
    "storable",
    "team_turns",
    "ticket_states",
    "tickets",
    "upsert",
]
