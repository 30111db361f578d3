"""Make synthetic tables and prove what they are worth: a table goes in, an audited synthetic table comes out."""

__version__ = "0.1.0"
