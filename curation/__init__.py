"""Curation: raw corpora and generators in, a clean, deduplicated, decontaminated problem set out.

`curation.curate.curate(config, ...)` is the whole stage; `python -m curation.dedup` and
`python -m curation.decontaminate` stand alone.
"""
