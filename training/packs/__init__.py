"""Training packs for agents: one contact reason, its policy, its macros, real tickets, mistakes and a quiz."""

from training.packs.bank import LANGUAGES
from training.packs.compose import Pack, PackError, compose
from training.packs.page import render_html, render_markdown
from training.packs.shown_cases import PackSources

__all__ = ["LANGUAGES", "Pack", "PackError", "PackSources", "compose", "render_html", "render_markdown"]
