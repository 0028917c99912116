"""The errors that a user can cause or mend: each has a message that says what was wrong, where and what to do."""

from __future__ import annotations

from bot import BotError
from classifier.datafile import DataFileError
from classifier.encoders import EncoderError
from classifier.model import ModelFormatError
from desk import DeskError
from kb.content import ContentError
from kb.fitting import SearchFitError
from kb.importing import HelpCentreError
from kb.index import KnowledgeIndexError
from kb.knowledge import KnowledgeNotSyncedError
from kb.macro_life import MacroStepError
from kb.policy import SentenceModelError
from models.bundle import BundleError
from models.signing import SigningError
from service.bulk import ClusterError
from service.settings import SettingsError
from training.corpus import CorpusError
from training.finetuning import FinetuneError
from training.fitting import FitError
from training.packs import PackError
from training.quarterly import QuarterlyError
from training.shift import ShiftError
from training.snapshots import SnapshotError

EXPECTED: tuple[type[Exception], ...] = (
    BotError,
    BundleError,
    ClusterError,
    ContentError,
    CorpusError,
    DataFileError,
    DeskError,
    EncoderError,
    FinetuneError,
    FitError,
    HelpCentreError,
    KnowledgeIndexError,
    KnowledgeNotSyncedError,
    MacroStepError,
    ModelFormatError,
    PackError,
    QuarterlyError,
    SearchFitError,
    SentenceModelError,
    SettingsError,
    ShiftError,
    SigningError,
    SnapshotError,
)
