"""Puts the parts together. Everything that is opened here is closed here, in reverse order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bot import Conversations
from classifier.encoders import Encoder, UniversalEncoder
from classifier.taxonomy import Taxonomy, starter_taxonomy
from desk.database import Database, open_database
from desk.inbox import Desk
from desk.order_table import OrderTable
from kb.index import KnowledgeIndex, KnowledgeIndexError
from kb.knowledge import KnowledgeBase
from models.registry import Registry
from service.current_model import CurrentTagger
from service.settings import Settings

log = logging.getLogger("paretodesk.service")


@dataclass(frozen=True)
class Services:
    """What routes and commands work with."""

    settings: Settings
    taxonomy: Taxonomy
    encoder: Encoder
    database: Database
    desk: Desk
    orders: OrderTable
    tagger: CurrentTagger
    knowledge: KnowledgeBase
    conversations: Conversations
    index_problem: str | None


def encoder_of(settings: Settings) -> Encoder:
    """The encoder of index and default model, with the threads the settings allow."""
    return UniversalEncoder(settings.threads or None)


def registry_of(settings: Settings) -> Registry:
    """The model store."""
    return Registry(settings.models_store)


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """The desk alone, for commands that need neither model nor index."""
    settings.home.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database)
    try:
        yield Desk(database)
    finally:
        database.close()


def tagger_of(settings: Settings, encoder: Encoder) -> CurrentTagger:
    """The serving tagger."""
    return CurrentTagger(registry_of(settings), settings.signing_key, encoder, starter_taxonomy())


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Everything. A broken index or model does not keep the desk from opening: intake goes on without them."""
    with ExitStack() as stack:
        desk = stack.enter_context(open_desk(settings))
        encoder = encoder_of(settings)
        knowledge = KnowledgeBase.load(settings.content)
        problem = _index(settings, encoder, knowledge, stack)
        tagger = tagger_of(settings, encoder)
        orders = OrderTable(desk.database)
        yield Services(
            settings=settings,
            taxonomy=desk.taxonomy,
            encoder=encoder,
            database=desk.database,
            desk=desk,
            orders=orders,
            tagger=tagger,
            knowledge=knowledge,
            conversations=Conversations(desk.database, desk, tagger, knowledge, orders, shop=settings.shop),
            index_problem=problem,
        )


def _index(settings: Settings, encoder: Encoder, knowledge: KnowledgeBase, stack: ExitStack) -> str | None:
    try:
        index = stack.enter_context(KnowledgeIndex.open(settings.index, encoder))
        knowledge.sync(index)
    except KnowledgeIndexError as error:
        log.error("articles cannot be searched: %s", error)
        return str(error)
    return None
