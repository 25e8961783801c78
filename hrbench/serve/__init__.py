"""A read-only site over a folder of runs and baselines: index, reports, comparisons, history, files.

Nothing is written into what is shown: what is rendered and remembered lies in a folder of the server. Starlette and
uvicorn are an extra (`hrbench[serve]`); only `site.py`, `access.py` and `server.py` need them.
"""
