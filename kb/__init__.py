"""What may we say: articles, macros, policy rules, rendering, the index, search and suggestions."""
