"""What should change: corpus, fitting, evaluation, promotion, shift."""
