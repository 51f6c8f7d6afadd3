"""Estimates of memory, time and cost before a run, and a rehearsal of its largest step."""
