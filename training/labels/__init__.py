"""Label health: labels that are likely wrong, whose labels may be trusted, and which tickets to label next."""
