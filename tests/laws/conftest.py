"""What several laws need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from small_sets import drawn_with


@pytest.fixture(scope="module")
def few_images() -> Iterator[int]:
    """The number of images that miniature sets are drawn with."""
    with drawn_with(16) as images:
        yield images
