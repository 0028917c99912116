"""Signed deliveries of other systems: who sent them, what they say, and one transaction for each effect."""

from desk.webhooks.delivery import Delivered, Effect, deliver
from desk.webhooks.payloads import PayloadError
from desk.webhooks.signatures import SignatureError
from desk.webhooks.sources import Source, load_sources

__all__ = ["Delivered", "Effect", "PayloadError", "SignatureError", "Source", "deliver", "load_sources"]
