"""The description of the HTTP surface: data files, what the wire types say of themselves, and the pages that show it.

An endpoint is one entry under `operations` in a file of `data/`. `document.py` makes OpenAPI of it, on request only.
"""
