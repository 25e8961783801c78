"""What all pages share: where their templates lie, how these are filled in, and what a page may load and run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hrbench.core.shown_text import shown

TEMPLATES = Path(__file__).parent / "templates"


def environment(*folders: Path) -> Environment:
    """A new environment of templates: texts are cleaned (`shown`) and escaped; one that is not given is an error.

    folders: of further templates.
    """
    return Environment(
        loader=FileSystemLoader([TEMPLATES, *folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalised,
    )


def text_of(name: str) -> Markup:
    """A style sheet or script among the templates, as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def policy(styles: Sequence[str], scripts: Sequence[str] = (), forms: bool = False) -> Markup:
    """The Content-Security-Policy of a page, for its `<meta>` element: it runs what it was written with.

    styles: texts of its `<style>` elements, each to the letter.
    scripts: the same of its `<script>` elements.
    forms: whether it may send forms to where it came from.

    Nothing else is run: no other script, no handler or style in an attribute. Nothing is loaded but pictures that
    lie in the page itself or beside it. A page has no address of its own when it is opened from a disk, where a browser
    takes 'self' for any file; that is as far as the folder can be named.
    """
    rules = {
        "default-src": ["'none'"],
        "style-src": [_hash(text) for text in styles] or ["'none'"],
        "script-src": [_hash(text) for text in scripts] or ["'none'"],
        "img-src": ["'self'", "data:"],
        "base-uri": ["'none'"],
        "form-action": ["'self'" if forms else "'none'"],
    }
    return Markup("; ".join(f"{name} {' '.join(values)}" for name, values in rules.items()))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _finalised(value: Any) -> Any:
    """What a template prints: texts that are not markup come from outside."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value
