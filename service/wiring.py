"""Puts the parts together. Everything that is opened here is closed here, in reverse order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot import Conversations
from classifier.encoders import Encoder, UniversalEncoder, limit_blas
from classifier.taxonomy import Taxonomy, starter_taxonomy
from desk.database import Database, open_database
from desk.inbox import Desk
from desk.macro_adoption import adopt
from desk.macro_library import MacroLibrary
from desk.order_cache import CachedOrders, OrderSources
from desk.order_http import load_http_orders
from desk.order_table import OrderSource, OrderTable
from desk.routing.engine import Router, keep_routed
from desk.routing.rules import Routing, load_routing
from desk.sla import Policies, load_policies
from desk.tag_jobs import Intake
from desk.teamwork import Teamwork
from desk.webhooks import Source, load_sources
from kb.knowledge import KnowledgeBase
from kb.policy import SentenceJudge
from kb.policy.sentence_model import STARTER_MODEL, SentenceModelError, load
from models.registry import Registry
from service.chat_clients import ChatClients, load_clients
from service.current_model import CurrentTagger
from service.indexing import ArticleSearch
from service.mailbox import MailDesk, mail_desk
from service.pace import Pace
from service.served_macros import ServedMacros
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
    orders: OrderSource
    tagger: CurrentTagger
    knowledge: KnowledgeBase
    macros: MacroLibrary
    conversations: Conversations
    articles: ArticleSearch
    intake: Intake
    router: Router
    teamwork: Teamwork
    webhooks: Mapping[str, Source] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    mail: MailDesk = field(default_factory=MailDesk)
    clients: ChatClients = field(default_factory=ChatClients)
    sentences: SentenceJudge | None = None
    """Reads what people write beside the policy rules; None where it cannot be used."""
    policy_problem: str | None = None

    @property
    def index_problem(self) -> str | None:
        """Why articles are searched less well than they could be; None where they are not."""
        return self.articles.problem


SERVING_THREADS = 1
"""Of BLAS, while requests are answered too. On two busy cores a second one made the work of a ticket up to five times
as long: BLAS threads spin while they wait for each other."""


def encoder_of(settings: Settings) -> Encoder:
    """The encoder of index and default model, with the threads the settings allow."""
    return UniversalEncoder(settings.threads or None)


def sentences_of(settings: Settings, encoder: Callable[[], Encoder]) -> SentenceJudge:
    """The policy check's sentence model, CONTENT/policy.npz where it is there; opened when first asked."""
    own = settings.content / "policy.npz"
    return SentenceJudge(encoder, lambda: load(own if own.exists() else STARTER_MODEL))


def registry_of(settings: Settings) -> Registry:
    """The model store."""
    return Registry(settings.models_store)


@contextmanager
def open_desk(settings: Settings) -> Iterator[Desk]:
    """The desk alone, for commands that need neither model nor index."""
    policies = load_policies(Path(settings.sla) if settings.sla else None)
    settings.home.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database)
    keep_routed(database)
    try:
        yield Desk(database, policies=policies)
    finally:
        database.close()


def routing_of(settings: Settings, policies: Policies) -> Routing:
    """The routing rules in force. Raises `DataFileError`."""
    return load_routing(Path(settings.routing) if settings.routing else None, policies=policies)


@contextmanager
def open_macros(settings: Settings) -> Iterator[MacroLibrary]:
    """The macro library as it is, for commands that need nothing else; content files are not taken in."""
    with open_desk(settings) as desk:
        yield MacroLibrary(desk.database, desk.taxonomy, sentences=sentences_of(settings, lambda: encoder_of(settings)))


def tagger_of(settings: Settings, encoder: Encoder) -> CurrentTagger:
    """The serving tagger."""
    return CurrentTagger(registry_of(settings), settings.signing_key, encoder, starter_taxonomy())


@contextmanager
def open_services(settings: Settings, *, serving: bool = True) -> Iterator[Services]:
    """Everything. A broken index or model does not keep the desk from opening: intake goes on without them.

    Unless ``serving``, content files are taken into the macro library only while it is empty.
    """
    webhooks = load_sources(settings.webhooks) if settings.webhooks and serving else {}
    clients = load_clients(settings) if serving else ChatClients()
    mail = mail_desk(settings)
    if serving and not settings.threads:
        settings = settings.model_copy(update={"threads": SERVING_THREADS})
    with ExitStack() as stack:
        if serving:
            stack.enter_context(limit_blas(settings.threads))
        desk = stack.enter_context(open_desk(settings))
        encoder = encoder_of(settings)
        knowledge = KnowledgeBase.load(settings.content)
        sentences, policy_problem = _opened(sentences_of(settings, lambda: encoder))
        macros = _macros(desk, knowledge, serving, sentences)
        articles = stack.enter_context(ArticleSearch(settings, encoder, knowledge))
        tagger = tagger_of(settings, encoder)
        orders = orders_of(settings, desk.database)
        routing = routing_of(settings, desk.policies)
        yield Services(
            settings=settings,
            taxonomy=desk.taxonomy,
            encoder=encoder,
            database=desk.database,
            desk=desk,
            orders=orders,
            tagger=tagger,
            knowledge=knowledge,
            macros=macros,
            conversations=Conversations(
                desk.database, desk, tagger, knowledge, orders, shop=settings.shop, mails=mail.sender is not None
            ),
            articles=articles,
            intake=Intake(desk.database),
            router=Router(desk.database, routing, desk.policies, orders),
            teamwork=Teamwork(desk.database, routing, (settings.agent,)),
            webhooks=webhooks,
            mail=mail,
            clients=clients,
            sentences=sentences,
            policy_problem=policy_problem,
        )


def _opened(sentences: SentenceJudge) -> tuple[SentenceJudge | None, str | None]:
    """The sentence model, or why messages are checked by the rules alone: a model of one's own may be out of date."""
    try:
        return sentences.open(), None
    except SentenceModelError as error:
        log.error("messages are checked without the sentence model: %s", error)
        return None, f"messages are checked without the sentence model: {error}"


def orders_of(settings: Settings, database: Database) -> OrderSource:
    """Where order facts come from: the table, then the other system where one is configured. Raises `DataFileError`."""
    table = OrderTable(database)
    if settings.orders_http is None:
        return table
    other = load_http_orders(settings.orders_http)
    asked = other.settings
    return OrderSources([table, CachedOrders(other, fresh=asked.fresh_seconds, stale=asked.stale_seconds)])


def take_in_macros(desk: Desk, knowledge: KnowledgeBase) -> None:
    """Bring the macro library to what the content files say; see `adopt`."""
    adopted = adopt(desk.database, knowledge.macros)
    if adopted.own:
        log.info("%d macros were changed in the library, so their files are not read", len(adopted.own))


def _macros(desk: Desk, knowledge: KnowledgeBase, serving: bool, sentences: SentenceJudge | None) -> MacroLibrary:
    library = MacroLibrary(desk.database, desk.taxonomy, sentences=sentences)
    if serving or not library.macros():
        take_in_macros(desk, knowledge)
    knowledge.serve_macros(ServedMacros(library))
    return library
