"""How is the desk doing? Metrics of any window, filters and grouping, with n, intervals and the tickets behind."""
