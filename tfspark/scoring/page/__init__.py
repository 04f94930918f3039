"""The page of a report: one HTML file without scripts, links or requests. Driver.

`write_page` takes the JSON report of any job. It needs Jinja2 (extra `report`).
"""

from __future__ import annotations

from tfspark.scoring.page.writing import (
    HEAD,
    NoTemplatesError,
    can_write_pages,
    head_of,
    page_beside,
    page_of,
    refuse_other_page,
    write_page,
)

__all__ = [
    "HEAD",
    "NoTemplatesError",
    "can_write_pages",
    "head_of",
    "page_beside",
    "page_of",
    "refuse_other_page",
    "write_page",
]
