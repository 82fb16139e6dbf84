"""How good and how fast: golden questions, scores, gates and reports."""
