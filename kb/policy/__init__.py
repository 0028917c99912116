"""What a marketplace forbids to say: rules as data, and the check that every message passes before it is said."""

from kb.policy.checker import CheckedFile, check, check_file, check_macro, check_rendered
from kb.policy.judging import SentenceJudge
from kb.policy.kinds import Severity
from kb.policy.message import Attachment, PolicyContext
from kb.policy.rules import Rule, RuleSet, marketplaces, rule_set
from kb.policy.sentence_model import SentenceModelError
from kb.policy.violation import FoundBy, Violation

__all__ = [
    "Attachment",
    "CheckedFile",
    "FoundBy",
    "PolicyContext",
    "Rule",
    "RuleSet",
    "SentenceJudge",
    "SentenceModelError",
    "Severity",
    "Violation",
    "check",
    "check_file",
    "check_macro",
    "check_rendered",
    "marketplaces",
    "rule_set",
]
