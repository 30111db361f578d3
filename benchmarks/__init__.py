"""Measure speed, memory and quality; raw rows go to ``records/*.jsonl``, documents are generated from them."""
