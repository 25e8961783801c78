"""The report: one table built from results, typeset as a page, Markdown, CSV and LaTeX (`write.py`)."""
