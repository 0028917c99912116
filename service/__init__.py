"""The composition root: settings, wiring, the HTTP service, console pages and the command line."""
