"""The acts, one module each: `NAME`, `WORDS`, and `perform(stage, outcome)`."""
