"""What is this ticket about: taxonomy, reading, encoders, model, calibration, abstention and the guard."""
