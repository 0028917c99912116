"""Conversations over the real encoder, a small fitted model, the shipped guard and a small content folder."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from threadpoolctl import threadpool_limits

from bot import Conversations, Started, Turn
from bot.decision import DecisionSettings
from classifier.abstention import CERTAIN
from classifier.encoders import Encoder
from classifier.features import feature_text
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.tagger import Tagger
from classifier.taxonomy import Autonomy, starter_taxonomy
from desk.database import Database, open_database
from desk.inbox import Desk
from desk.order_table import OrderTable
from desk.tables import orders
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from training.fitting import Labelled, Settings, fit

HERE = Path(__file__).parent
ORDER = "123-4567890-1234567"
EMAIL = "ada@example.org"


@pytest.fixture(scope="session")
def tagger(encoder: Encoder) -> Tagger:
    """Fitted on ``tickets.yaml``; half of its tickets may be tagged wrong, so that a small set can certify it."""
    taxonomy = starter_taxonomy()
    tickets = yaml.safe_load((HERE / "tickets.yaml").read_text(encoding="utf-8"))
    rows = [(feature_text("", text), reason) for reason, texts in tickets.items() for text in texts]
    data = Labelled(
        tuple(text for text, _ in rows),
        tuple(reason for _, reason in rows),
        tuple(str(number) for number in range(len(rows))),
    )
    settings = Settings(target_error=0.3, human_only=taxonomy.with_autonomy(Autonomy.HUMAN_ONLY))
    with threadpool_limits(1):  # quicker for so few tickets
        model = fit(data, encoder, settings).model
    return Tagger(taxonomy, starter_guard(), language_identifier(), model, "small-1")


@pytest.fixture(scope="session")
def unsure(tagger: Tagger) -> Tagger:
    """The same model, never sure enough to be used unattended."""
    model = tagger.model
    certain = replace(model.thresholds, guarantee=replace(model.thresholds.guarantee, threshold=CERTAIN))
    return Tagger(tagger.taxonomy, tagger.guard, tagger.languages, replace(model, thresholds=certain), "unsure-1")


@pytest.fixture(scope="session")
def knowledge(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    found = KnowledgeBase.load(HERE / "content")
    with KnowledgeIndex.open(tmp_path_factory.mktemp("index"), encoder) as index:
        found.sync(index)
        yield found


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at this version; copying it is quicker than migrating for every test."""
    path = tmp_path_factory.mktemp("migrated") / "desk.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated: Path) -> str:
    shutil.copy(migrated, tmp_path / "desk.db")
    return f"sqlite:///{tmp_path}/desk.db"


@pytest.fixture
def opened() -> Iterator[Callable[[str], Database]]:
    """Opens databases and closes them at the end."""
    databases: list[Database] = []

    def open_one(url: str) -> Database:
        databases.append(open_database(url))
        return databases[-1]

    yield open_one
    for database in databases:
        database.close()


@dataclass
class Chat:
    """One customer in one conversation."""

    conversations: Conversations
    desk: Desk
    started: Started

    def say(self, text: str, client_id: str | None = None, choice: str | None = None) -> Turn:
        return self.conversations.say(self.started.session_id, self.started.token, text, client_id, choice)

    def press(self, value: str) -> Turn:
        return self.say("", choice=value)

    def history(self):
        return self.conversations.history(self.started.session_id, self.started.token)


@pytest.fixture
def open_chat(tagger: Tagger, knowledge: KnowledgeBase) -> Callable[..., Chat]:
    def start(
        database: Database,
        locale: str | None = "en",
        judge: object = None,
        settings: DecisionSettings | None = None,
    ) -> Chat:
        desk = Desk(database)
        source = OrderTable(database)
        found = Conversations(database, desk, judge or tagger, knowledge, source, settings=settings, shop="Lumen & Co")
        return Chat(found, desk, found.start("demo", locale))

    return start


@pytest.fixture
def database(sqlite_url: str, opened: Callable[[str], Database]) -> Database:
    return opened(sqlite_url)


@pytest.fixture
def chat(open_chat: Callable[..., Chat], database: Database) -> Chat:
    return open_chat(database)


@pytest.fixture
def with_orders() -> Callable[[Database], None]:
    """Loads three orders: on its way, delivered (no macro says that), refunded."""
    shared = {"order.fulfilment": "merchant", "buyer.name": "Ada Byron", "shipment.carrier": "DHL"}
    rows = {
        ORDER: {
            "shipment.status": "in_transit",
            "shipment.tracking": "JJD000390007882823456",
            "shipment.eta": "2026-12-02",
        },
        "123-4567890-7654321": {"shipment.status": "delivered"},
        "PD-10233": {"refund.status": "issued", "refund.amount": "49.50 EUR", "refund.date": "2026-11-18"},
    }

    def load(database: Database) -> None:
        with database.session() as session:
            for order_id, facts in rows.items():
                session.execute(
                    orders.insert().values(
                        order_id=order_id,
                        facts={"order.id": order_id, **shared, **facts},
                        buyer_email=EMAIL,
                        postcode="SW1A 1AA",
                        as_of=datetime.now(UTC),
                    )
                )

    return load
