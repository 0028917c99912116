"""Pages and their static parts."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

STATIC = Path(__file__).parent / "static"

_environment = Environment(
    loader=PackageLoader("service"), autoescape=select_autoescape(default=True), undefined=StrictUndefined
)


def page(template: str, **values: object) -> str:
    """A rendered template of ``service/templates``."""
    return _environment.get_template(template).render(**values)
