"""The page of a report: one HTML file without scripts, links or requests. Driver.

`write_page` takes the JSON report of any job. It needs Jinja2 (extra `report`).
"""

from __future__ import annotations

from tfspark.scoring.page.writing import NoTemplatesError, page_beside, page_of, write_page

__all__ = ["NoTemplatesError", "page_beside", "page_of", "write_page"]
