"""What all pages share: where their templates lie, and how these are filled in."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """A new environment of the templates: values are escaped, and one that is not given is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def text_of(name: str) -> Markup:
    """A style sheet or script among the templates, as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
