"""A hundred ways to have a browser run a script, through articles, customers' and agents' words, tickets and names."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from desk.order_table import OrderFacts
from desk.tables import orders
from tests_browser_conftest import PAYLOADS, Shop
