"""The verbs users call, and the command line."""
