"""Small content folders."""

from collections.abc import Callable
from pathlib import Path

import pytest

ARTICLE = """---
id: {id}
reason: {reason}
locale: {locale}
title: {title}
audience: {audience}
marketplace: [{marketplace}]
status: {status}
version: 1
reviewed: 2025-01-10
review_by: {review_by}
owner: support
---

{body}
"""

MACRO = """---
id: {id}
reason: {reason}
locale: {locale}
title: {title}
marketplace: [{marketplace}]
kind: {kind}
when: {when}
status: {status}
version: 1
author: Ana
approver: {approver}
---
{body}
"""


@pytest.fixture
def write_article(tmp_path: Path) -> Callable[..., Path]:
    def write(id: str = "track", locale: str = "en", folder: str | None = None, **fields: str) -> Path:
        values = {
            "reason": "tracking_update",
            "title": f"Title of {id}",
            "audience": "customer",
            "marketplace": "any",
            "status": "approved",
            "review_by": "2099-01-10",
            "body": "## Where is it\n\nOpen Your Orders and choose Track package.",
        }
        path = tmp_path / "articles" / (folder or locale) / f"{id}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ARTICLE.format(id=id, locale=locale, **{**values, **fields}), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_macro(tmp_path: Path) -> Callable[..., Path]:
    def write(id: str = "track", locale: str = "en", folder: str | None = None, **fields: str) -> Path:
        values = {
            "reason": "tracking_update",
            "title": f"Title of {id}",
            "marketplace": "any",
            "kind": "reply",
            "when": "{}",
            "status": "locked",
            "approver": "Ben",
            "body": "Hello {{ buyer.name }},\n\nyour order {{ order.id }} is with {{ shipment.carrier }}.",
        }
        path = tmp_path / "macros" / (folder or locale) / f"{id}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MACRO.format(id=id, locale=locale, **{**values, **fields}), encoding="utf-8")
        return path

    return write
